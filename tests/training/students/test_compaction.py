import torch
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD
from training.students.compaction import at_places, compacted

histories = st.integers(1, 7).flatmap(
    lambda length: st.lists(st.lists(st.integers(0, 3), min_size=length, max_size=length), min_size=1, max_size=4)
)


@given(histories)
def test_items_keep_their_order_and_places_know_how_many_they_have_seen(rows: list[list[int]]) -> None:
    items, seen = compacted(torch.tensor(rows))
    for row, packed, counted in zip(rows, items.tolist(), seen.tolist(), strict=True):
        present = [item for item in row if item != PAD]
        assert packed == present + [PAD] * (len(row) - len(present))
        assert counted == [sum(item != PAD for item in row[: place + 1]) for place in range(len(row))]


@given(histories)
def test_what_is_brought_back_is_the_newest_item_so_far(rows: list[list[int]]) -> None:
    """The item itself taken for the state after it, and -1 for the state before any."""
    items, seen = compacted(torch.tensor(rows))
    states = at_places(items[..., None].float(), torch.tensor([-1.0]), seen)[..., 0]
    for row, found in zip(rows, states.tolist(), strict=True):
        newest = -1
        for item, state in zip(row, found, strict=True):
            newest = item if item != PAD else newest
            assert state == newest
