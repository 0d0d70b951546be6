import numpy as np
import pytest

from training.arrays import fingerprint, read_only


def test_a_value_does_not_follow_the_array_it_was_made_from() -> None:
    source = np.arange(3)
    value = read_only(source, np.int64)
    source[0] = 9
    assert value.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        value[0] = 1


def test_a_read_only_view_of_a_writable_array_is_copied() -> None:
    source = np.arange(3)
    view = source.view()
    view.flags.writeable = False
    value = read_only(view, np.int64)
    source[0] = 9
    assert value[0] == 0


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="float64 values do not fit int32"):
        read_only(np.array([1.5]), np.int32)
    with pytest.raises(ValueError, match="int64 values do not fit int32"):
        read_only(np.array([2**40]), np.int32)


def test_a_fingerprint_is_of_content_and_not_of_memory() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    same = fingerprint({"a": array})
    assert fingerprint({"a": array.astype(">i4")}) == same
    assert fingerprint({"a": np.asfortranarray(array)}) == same
    for other in ({"b": array}, {"a": array.reshape(3, 2)}, {"a": array.astype(np.int64)}, {"a": array + 1}):
        assert fingerprint(other) != same
