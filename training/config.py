"""What every part's configuration has in common: frozen, checked, and readable from a short TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator


class ConfigError(Exception):
    """A configuration that cannot be meant: an unknown name, an unknown key, a value out of bounds."""


class Config(BaseModel):
    """A frozen value object. An unknown key is an error: a misspelt hyper-parameter must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        """A part of which only some keys are given keeps the defaults that this class has for it, not that part's own.

        Recformer's `fit` learns at 5e-5: a file that says `[finetune.fit] epochs = 8` must not fall back to 1e-3.
        """
        if not isinstance(given, Mapping):
            return given
        defaults = {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}
        parts = {name: part.model_dump() for name, part in defaults.items() if isinstance(part, Config)}
        return {name: _overlaid(parts[name], value) if name in parts else value for name, value in given.items()}

    @classmethod
    def from_toml(cls, path: Path | None, flags: Mapping[str, object] | None = None) -> Self:
        """The defaults, overridden by a TOML file, overridden by those flags of the command line that are not None.

        Raises:
            ConfigError: no file, no TOML, or a key is unknown or its value bad; file and key are named.
        """
        given = {name: value for name, value in (flags or {}).items() if value is not None}
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no TOML: {error}") from error
        return cls.from_values(found | given, str(path or "command line"))

    @classmethod
    def from_values(cls, values: Mapping[str, object], where: str) -> Self:
        """Check values that were given in the place named.

        Raises:
            ConfigError: an unknown key or a bad value; place and key are named.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigError(f"{where}: {problems}") from error

    @property
    def hash(self) -> str:
        """Hex sha256 of the canonical JSON."""
        return sha256(self.model_dump_json().encode()).hexdigest()


def _overlaid(default: Mapping[str, object], given: object) -> object:
    """What is given, over what is not."""
    if not isinstance(given, Mapping):
        return given
    under = {name: value for name, value in default.items() if name not in given}
    over = {
        name: _overlaid(inner, value) if isinstance(inner := default.get(name), Mapping) else value
        for name, value in given.items()
    }
    return {**under, **over}
