"""What all values on the wire have in common: unknown fields are errors, types are strict, and what a text may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.types import JsonValue

Text = Annotated[str, Field(min_length=1, max_length=256)]
"""An id of a user, item or event: 1 to 256 characters, any of Unicode's."""


class Wire(BaseModel):
    """A value that checks itself when it is made, and does not change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def examples(*values: JsonValue) -> ConfigDict:
    """Values of a class to be shown in the contract."""
    return ConfigDict(json_schema_extra={"examples": list(values)})
