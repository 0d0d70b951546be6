from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD, history_window


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 20))
def test_the_newest_known_items_stand_right(indices: list[int], length: int) -> None:
    window = history_window(indices, length).tolist()
    known = [index for index in indices if index != PAD][-length:]
    assert window == [PAD] * (length - len(known)) + known


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 20))
def test_a_window_of_a_window_is_itself(indices: list[int], length: int) -> None:
    window = history_window(indices, length)
    assert history_window(window, length).tolist() == window.tolist()
