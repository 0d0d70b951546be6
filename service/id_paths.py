"""Ids of users and items in paths: any text at all, slashes and line breaks too, or some user could never be erased."""

from __future__ import annotations

from urllib.parse import quote

from starlette.convertors import Convertor, register_url_convertor

NAME = "id"


class IdConvertor(Convertor[str]):
    """Takes everything; starlette's own `path` stops at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """The id as it stands in the decoded path."""
        return value

    def to_string(self, value: str) -> str:
        """The id again."""
        return value


def user_path(rest: str) -> str:
    """`/users/{user_id}` and the rest, matching any id."""
    return _path("/users", "user_id", rest)


def item_path(rest: str) -> str:
    """`/items/{item_id}` and the rest, matching any id."""
    return _path("/items", "item_id", rest)


def image_address(item_id: str, version: str) -> str:
    """Where the picture of an item is, as a model has it: `/items/{item_id}/image?model=...`, in ASCII. Dots are
    escaped too, or `..` would be taken for the folder above."""
    return f"/items/{quote(item_id, safe='').replace('.', '%2E')}/image?model={quote(version, safe='')}"


def _path(before: str, parameter: str, rest: str) -> str:
    register_url_convertor(NAME, IdConvertor())
    return f"{before}/{{{parameter}:{NAME}}}{rest}"
