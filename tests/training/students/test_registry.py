import pytest

from training.config import ConfigError
from training.students.registry import STUDENTS, student_family
from training.two_tower import TwoTower


@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_every_student_is_built_for_its_catalogue(name: str) -> None:
    family = student_family(name)
    student = family.build(family.config(), 7)
    assert isinstance(student, TwoTower)
    assert student.item_matrix().shape[0] == 8


def test_an_unknown_student_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(ConfigError, match="no student is called 'gru'; known: sasrec"):
        student_family("gru")
