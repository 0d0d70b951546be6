import pytest

from training.config import ConfigError
from training.distillation.rows import ROWS, study_row


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_row_is_found_by_its_name(name: str) -> None:
    assert study_row(name).name == name


def test_only_two_rows_learn_without_any_tutor() -> None:
    assert [row.name for row in ROWS.values() if row.teaching is None] == ["A0", "C4"]


def test_full_weights_join_what_the_single_ones_rest_on() -> None:
    powers = {name: teaching.powers for name in ("A5", "A6", "A7") if (teaching := study_row(name).teaching)}
    assert powers["A7"] == (powers["A5"][0], powers["A6"][1])
    assert powers["A5"][1] == powers["A6"][0] == 0


def test_controls_that_know_no_teacher_need_no_cache() -> None:
    free = [row.name for row in ROWS.values() if row.teaching and not row.teaching.needs_knowledge]
    assert free == ["C1", "C5"]


def test_an_unknown_row_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(ConfigError, match=r"no row is called 'A99'; known: A0 \(no distillation\), A1"):
        study_row("A99")


def test_a_row_of_one_teacher_fits_only_a_cache_that_has_that_one() -> None:
    assert [name for name, row in ROWS.items() if not row.fits(3)] == ["A16"]
    assert [name for name, row in ROWS.items() if not row.fits(1)] == ["A2", "A3", "A16"]
