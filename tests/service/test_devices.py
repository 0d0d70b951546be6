"""What is missing for a GPU is said; `auto` goes on without, `cuda` does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from service import devices
from service.bundle import ModelBundle
from service.devices import ChosenDevice, DeviceUnavailable, choose_device, missing_for_cuda
from service.item_vectors import ItemVectors
from service.models.opening import open_model
from service.retrieval import Retrieval
from service.settings import Settings, as_environment

MISSING = missing_for_cuda()
without_gpu = pytest.mark.skipif(MISSING is None, reason="there is a GPU, and graphs run on it")


def test_the_cpu_is_there_and_needs_no_reason() -> None:
    assert choose_device("cpu") == ChosenDevice("cpu")
    assert str(choose_device("cpu")) == "cpu"


@without_gpu
def test_auto_takes_the_cpu_and_says_why() -> None:
    assert choose_device("auto") == ChosenDevice("cpu", MISSING)
    assert str(choose_device("auto")) == f"cpu ({MISSING})"


@without_gpu
def test_cuda_by_name_is_refused_with_the_same_reason() -> None:
    with pytest.raises(DeviceUnavailable, match="REC_DEVICE is cuda, and") as refused:
        choose_device("cuda")
    assert str(MISSING) in str(refused.value)


@pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")
def test_auto_takes_a_gpu_that_works(tiny_bundle: Path) -> None:
    assert choose_device("auto") == choose_device("cuda") == ChosenDevice("cuda")
    open_model(Settings(bundle=tiny_bundle, device="auto"))  # its self-test compares with the stored answers


@pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")
def test_a_gpu_multiplies_as_exactly_as_float32_can(bundle: ModelBundle) -> None:
    table = ItemVectors(bundle).table.astype(np.float64)  # [N, D]
    user = np.random.default_rng(0).normal(size=(64, table.shape[1])).astype(np.float32)  # [B, D]
    scores, items = Retrieval(bundle.folder, "cuda", 1).best(user, len(table))  # [B, N] each
    exact = np.take_along_axis(user @ table.T, items - 1, axis=1)  # [B, N]
    np.testing.assert_allclose(scores, exact, rtol=0, atol=1e-5)


def test_looking_for_libraries_leaves_stdout_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    devices.load_cuda_libraries.cache_clear()
    devices.load_cuda_libraries()
    assert capfd.readouterr().out == ""


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="onnxruntime-gpu is installed")
def test_the_package_is_named_first() -> None:
    assert MISSING is not None
    assert "install onnxruntime-gpu" in MISSING
    assert "CPUExecutionProvider" in MISSING  # what there is instead
    assert devices._missing_of_provider() is not None  # and a session is not fooled by the fall-back


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is an NVIDIA driver")
def test_the_driver_is_named_where_it_is_missing() -> None:
    told = devices._missing_of_driver()
    assert told is not None
    assert "driver" in told


def test_the_graph_that_is_tried_is_one() -> None:
    session = ort.InferenceSession(devices._IDENTITY, providers=["CPUExecutionProvider"])
    value = np.array([1.5], np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": value})[0], value)


def test_a_model_says_what_it_runs_on(tiny_bundle: Path) -> None:
    settings = Settings(bundle=tiny_bundle, device="auto")
    assert as_environment(settings)["REC_DEVICE"] == "auto"
    assert open_model(settings).device == choose_device("auto")
