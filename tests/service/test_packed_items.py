from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.histories import Histories, StoredEvent
from service.metrics import Metrics
from service.packed_items import MAX_BYTES, pack, unpacker
from service.settings import Settings

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
ids = st.one_of(
    texts,
    st.integers(0, 10**20).map(str),
    st.from_regex(r"[0-9A-Z]{9,11}", fullmatch=True),
    st.from_regex(r"B0[0-9A-Z]{8}", fullmatch=True),
    st.uuids().map(str),
    st.from_regex(r"0[0-9]{1,12}", fullmatch=True),
)
unpack = unpacker()


@given(st.lists(ids, max_size=60))
def test_a_history_comes_back_and_grows_at_its_end(items: list[str]) -> None:
    packed = b"".join(map(pack, items))
    assert unpack(packed) == items
    assert unpack(packed + pack("new")) == [*items, "new"]
    assert unpacker()(packed) == items  # also by one that has met none of them


@given(ids)
def test_text_costs_two_bytes_more_than_itself_and_nothing_costs_more(item: str) -> None:
    assert len(pack(item)) <= len(item.encode()) + 2


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ("7", 1),
        ("4095", 2),
        ("1048575", 3),
        ("B00004R9VM", 6),
        ("039492269X", 7),
        (str(UUID(int=5)), 17),
        ("007", 5),
        ("é", 4),
    ],
)
def test_what_items_cost(item: str, size: int) -> None:
    assert len(pack(item)) == size


@given(st.lists(ids, min_size=1, max_size=5), st.data())
def test_a_history_that_was_cut_is_no_history(items: list[str], data: st.DataObject) -> None:
    packed = b"".join(map(pack, items))
    last = len(pack(items[-1]))
    if last > 1:
        cut = data.draw(st.integers(1, last - 1))
        with pytest.raises(ValueError):  # noqa: PT011 - of a UUID or UTF-8 too
            unpack(packed[:-cut])


@pytest.mark.parametrize("raw", [b"\xb0", b"\xe1abc", b"\xf0", b"\xf0\x05ab", b"\xf0\x01\xff"])
def test_bytes_that_are_no_history_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of UTF-8 too
        unpack(raw)


def test_an_id_beyond_all_bounds_is_refused() -> None:
    assert unpack(pack("x" * MAX_BYTES)) == ["x" * MAX_BYTES]
    with pytest.raises(ValueError, match="longest"):
        pack("x" * (MAX_BYTES + 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(ids, min_size=1, max_size=12), min_size=1, max_size=6), st.integers(1, 20))
def test_redis_cuts_where_python_would(redis_url: str, appended: list[list[str]], kept: int) -> None:
    """The script and this module read the same bytes: the newest are kept, whatever their kinds."""

    async def scenario() -> None:
        histories = Histories(
            Settings(redis_url=redis_url, redis_timeout_ms=2000, redis_long_timeout_ms=2000, history_kept=kept),
            Metrics(),
        )
        user, expected = uuid4().hex, list[str]()
        for items in appended:
            assert await histories.append({user: [StoredEvent(item) for item in items]}) == len(items)
            expected = [*expected, *items][-kept:]
            assert await histories.read(user) == expected
        await histories.erase(user)
        await histories.close()

    asyncio.run(scenario())
