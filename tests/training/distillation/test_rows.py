import pytest

from training.config import ConfigError
from training.distillation.rows import ROWS, study_row


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_row_is_found_by_its_name(name: str) -> None:
    assert study_row(name).name == name


def test_only_a0_learns_without_teachers() -> None:
    assert [row.name for row in ROWS.values() if row.powers is None] == ["A0"]


def test_full_weights_join_what_the_single_ones_rest_on() -> None:
    confidence, consistency, full = (study_row(name).powers for name in ("A5", "A6", "A7"))
    assert confidence is not None
    assert consistency is not None
    assert full == (confidence[0], consistency[1])
    assert confidence[1] == consistency[0] == 0


def test_an_unknown_row_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(ConfigError, match=r"no row is called 'A99'; known: A0 \(no distillation\), A1"):
        study_row("A99")
