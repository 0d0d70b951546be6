"""Which device a name means."""

from __future__ import annotations

import pytest
import torch

from training.devices import device_name, pick_device


def test_the_processor_is_what_it_is_called() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert device_name(torch.device("cpu")) == "cpu"


def test_auto_takes_the_gpu_where_there_is_one() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_is_called_by_its_make() -> None:
    assert device_name(torch.device("cuda")) == torch.cuda.get_device_name()
