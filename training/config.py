"""What every part's configuration has in common: frozen, checked, and readable from a short TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(Exception):
    """A configuration that cannot be meant: an unknown name, an unknown key, a value out of bounds."""


class Config(BaseModel):
    """A frozen value object. An unknown key is an error: a misspelt hyper-parameter must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
