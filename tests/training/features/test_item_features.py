from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.features.item_features import EncoderInfo, ItemFeatures

INFO = EncoderInfo(name="test", fingerprint="0" * 64, width=2)


def features(values: list[list[float]], present: list[bool]) -> ItemFeatures:
    array: NDArray[np.float32] = np.array(values, dtype=np.float32)
    return ItemFeatures(array, np.array(present), INFO)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    made = features([[0, 0], [1, 2], [0, 0]], [False, True, False])
    made.write(tmp_path, "text")
    read = ItemFeatures.read(tmp_path, "text", INFO)
    assert np.array_equal(read.values, made.values)
    assert (read.present.tolist(), len(read)) == ([False, True, False], 2)


@pytest.mark.parametrize(
    ("values", "present", "message"),
    [
        ([[0, 0], [1, 2]], [True, True], "PAD"),
        ([[0, 0], [1, 2]], [False, False], "not present"),
        ([[0, 0], [1, np.nan]], [False, True], "row 1 is not finite"),
        ([[0, 0, 0]], [False], "shape|values"),
        ([[0, 0]], [False, False], "values"),
    ],
)
def test_features_that_say_two_things_are_refused(values: list[list[float]], present: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        features(values, present)
