"""Keys are hashed, compared and found; what is no key is refused."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from starlette.types import Scope
from typer.testing import CliRunner

from service.__main__ import cli
from service.errors import Unauthorized, answer
from service.keys import NAMED_HASHES, Keys, hash_of, is_key, new_key, presented_key

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)


def request(*headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "headers": list(headers)}


@examples(max_examples=50)
@given(mine=visible, other=visible)
def test_only_the_key_itself_has_its_hash(mine: str, other: str) -> None:
    assert hash_of(mine) == sha256(mine.encode()).hexdigest()
    assert is_key(mine.encode(), hash_of(mine))
    assert is_key(other.encode(), hash_of(mine)) is (other == mine)


@examples(max_examples=50)
@given(key=visible, scheme=st.sampled_from([b"Bearer ", b"bearer  ", b"BEARER "]))
def test_the_bearer_of_a_key_presents_it(key: str, scheme: bytes) -> None:
    assert presented_key(request((b"host", b"x"), (b"authorization", scheme + key.encode()))) == key.encode()


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"Bearer a b", b"Bearer \xff", b"abc"])
def test_what_is_no_key_is_none(value: bytes) -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer"):
        presented_key(request((b"authorization", value)))
    with pytest.raises(Unauthorized):
        presented_key(request())


def test_a_key_is_known_by_its_name() -> None:
    shop, app = new_key(), new_key()
    text = f"shop={hash_of(shop)},app-2={hash_of(app)}"
    assert re.fullmatch(NAMED_HASHES, text)
    keys = Keys.parse(text)
    assert (keys.name_of(shop.encode()), keys.name_of(app.encode())) == ("shop", "app-2")
    for wrong in (new_key(), shop[:-1], hash_of(shop), ""):
        with pytest.raises(Unauthorized, match="nobody"):
            keys.name_of(wrong.encode())


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        Keys.parse(f"a={hash_of('1')},a={hash_of('2')}")


@pytest.mark.parametrize("text", ["", "a=12", f"={hash_of('1')}", f"a={hash_of('1')},", hash_of("1")])
def test_what_is_no_list_of_hashes_has_not_its_pattern(text: str) -> None:
    assert not re.fullmatch(NAMED_HASHES, text)


def test_a_refusal_says_how_to_authenticate() -> None:
    refused = answer(Unauthorized("nobody has this key"), "r1")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_command_makes_a_key_and_its_hash() -> None:
    first, second = (CliRunner().invoke(cli, ["hash-key"]).output.split() for _ in range(2))
    assert (first[0], first[2], first[3]) == ("key", "sha256", hash_of(first[1]))
    assert len(first[1]) >= 43
    assert first[1] != second[1]
