"""Item ids as few bytes: how a history is stored.

A history is its items one after the other. The high four bits of an item's first byte tell its kind:

    0 to 7   a number without leading zeros: so many further bytes; with the low four bits, big-endian
    8        ten of 0-9A-Z, as a number of base 36: the low four bits and 6 further bytes
    9        the same, but the first two are B0 and left out: the low four bits and 5 further bytes
    10       a UUID in lower case: 16 further bytes
    15       any text: its length in UTF-8, the low four bits and 1 further byte; then the UTF-8

So a history can be appended to and cut at its front inside Redis, with LUA_SIZE. Text costs two bytes more than itself,
numbers and Amazon's ids of products less than themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from string import ascii_uppercase, digits
from uuid import UUID

TEN, B0, HEX, TEXT = 8, 9, 10, 15
MAX_BYTES = 0xFFF
"""Longest text, in UTF-8."""
LUA_SIZE = """
local function size(packed, at)
  local first, second = packed:byte(at, at + 1)
  local kind = math.floor(first / 16)
  if kind < 8 then return kind + 1 end
  if kind == 8 then return 7 end
  if kind == 9 then return 6 end
  if kind == 10 then return 17 end
  return 2 + first % 16 * 256 + second
end
"""
"""The same for scripts: bytes of the item that begins at `at`, counted from 1."""
CACHED = 65_536
"""Items whose text is kept, some 10 MB at most."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_TEN = re.compile(r"[0-9A-Z]{10}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIZES = bytes(
    first // 16 + 1 if first < TEN << 4 else {TEN: 7, B0: 6, HEX: 17}.get(first // 16, 0) for first in range(256)
)
"""Bytes of an item by its first; 0 where that does not say it."""
_PAIRS = ["".join(pair) for pair in product(digits + ascii_uppercase, repeat=2)]


def pack(item_id: str) -> bytes:
    """One item.

    Raises:
        ValueError: it is longer than MAX_BYTES in UTF-8.
    """
    if _NUMBER.fullmatch(item_id):
        number = int(item_id)
        length = (number.bit_length() + 11) // 8  # four bits are in the first byte
        return _kind(length - 1, number.to_bytes(length, "big"))
    if _TEN.fullmatch(item_id):
        if item_id.startswith("B0"):
            return _kind(B0, int(item_id[2:], 36).to_bytes(6, "big"))
        return _kind(TEN, int(item_id, 36).to_bytes(7, "big"))
    if _UUID.fullmatch(item_id):
        return _kind(HEX, bytes.fromhex("00" + item_id.replace("-", "")))
    text = item_id.encode()
    if len(text) > MAX_BYTES:
        raise ValueError(f"an item id of {len(text)} bytes; the longest has {MAX_BYTES}")
    return _kind(TEXT, len(text).to_bytes(2, "big")) + text


def _kind(kind: int, packed: bytes) -> bytes:
    return bytes([packed[0] | kind << 4]) + packed[1:]


def unpacker() -> Callable[[bytes], list[str]]:
    """A function that gives the items of a packed history, and remembers those that it has met.

    It raises ValueError when the bytes are no packed history.
    """
    text_of = lru_cache(CACHED)(_text)

    def unpack(packed: bytes) -> list[str]:
        items, at = [], 0
        while at < len(packed):
            end = at + (_SIZES[packed[at]] or _size_of_text(packed, at))
            items.append(text_of(packed[at:end]))
            at = end
        if at != len(packed):
            raise ValueError("a packed history is cut off")
        return items

    return unpack


def _size_of_text(packed: bytes, at: int) -> int:
    size = int.from_bytes(packed[at : at + 2], "big") - (TEXT << 12)
    if size < 0:
        raise ValueError("a packed history has an item of no known kind")
    return 2 + size


def _text(item: bytes) -> str:
    kind = item[0] >> 4
    if kind == TEXT:
        return item[2:].decode()
    if kind == HEX:
        return str(UUID(bytes=item[1:]))
    number = int.from_bytes(item, "big") & ((1 << 8 * len(item) - 4) - 1)
    if kind == B0:
        return "B0" + _base_36(number, 4)
    return _base_36(number, 5) if kind == TEN else str(number)


def _base_36(number: int, pairs: int) -> str:
    digits_of = []
    for _ in range(pairs):
        number, pair = divmod(number, 36 * 36)
        digits_of.append(_PAIRS[pair])
    return "".join(reversed(digits_of))
