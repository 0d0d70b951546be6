from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from training.config import Config, ConfigError


class Inner(Config):
    size: int = Field(default=2, ge=1)
    steps: int = Field(default=1, ge=1)


class Outer(Config):
    name: str = "default"
    inner: Inner = Field(default_factory=Inner)


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_there_are_the_defaults() -> None:
    assert Outer.from_toml(None) == Outer()


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    found = Outer.from_toml(written(tmp_path, "[inner]\nsize = 5\n"))
    assert found == Outer(inner=Inner(size=5))


def test_a_flag_beats_the_file_and_a_flag_not_given_does_not(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "file"\n')
    assert Outer.from_toml(path, {"name": "flag"}).name == "flag"
    assert Outer.from_toml(path, {"name": None}).name == "file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size = 5\n", "size: Extra inputs"),
        ("[inner]\nsiez = 5\n", r"inner\.siez: Extra inputs"),
        ("[inner]\nsize = 0\n", r"inner\.size: .*greater than or equal to 1"),
        ("inner = \n", "is no TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        Outer.from_toml(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: No such file"):
        Outer.from_toml(tmp_path / "nothing.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="is no TOML"):
        Outer.from_toml(path)


def test_values_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Outer().name = "other"  # type: ignore[misc]


def test_the_hash_is_of_values() -> None:
    assert Outer().hash == Outer(inner=Inner(size=2)).hash
    assert Outer().hash != Outer(inner=Inner(size=3)).hash


class Slow(Config):
    inner: Inner = Field(default_factory=lambda: Inner(size=7, steps=3))


class Deep(Config):
    slow: Slow = Slow(inner=Inner(size=9, steps=4))


def test_a_part_named_by_half_keeps_the_defaults_of_the_whole_it_stands_in(tmp_path: Path) -> None:
    found = Slow.from_toml(written(tmp_path, "[inner]\nsteps = 5\n"))
    assert found.inner == Inner(size=7, steps=5)


def test_so_does_a_part_of_a_part(tmp_path: Path) -> None:
    found = Deep.from_toml(written(tmp_path, "[slow.inner]\nsize = 5\n"))
    assert found.slow.inner == Inner(size=5, steps=4)


def test_a_whole_part_is_taken_as_it_is() -> None:
    assert Deep(slow=Slow(inner=Inner(size=1))).slow.inner == Inner(size=1)
    assert Slow.model_validate(Slow(inner=Inner()).model_dump()) == Slow(inner=Inner())


def test_what_is_unknown_in_a_part_named_by_half_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"inner\.sise"):
        Slow.from_toml(written(tmp_path, "[inner]\nsise = 5\n"))
