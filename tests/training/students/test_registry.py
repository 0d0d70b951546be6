import pytest

from training.config import ConfigError
from training.dataset import Dataset
from training.students.registry import STUDENTS, student_family
from training.two_tower import TwoTower


@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_every_student_is_built_for_its_catalogue(markov: Dataset, name: str) -> None:
    student = student_family(name).build({}, markov)
    assert isinstance(student, TwoTower)
    assert student.item_matrix().shape[0] == len(markov.catalog) + 1
    again = student_family(name).build(student.config.model_dump(mode="json"), markov)
    assert again.config == student.config


def test_a_student_that_reads_content_has_vectors_of_items_alike_in_words(markov: Dataset) -> None:
    plain, reading = (student_family("sasrec").build({}, markov, content=one) for one in (False, True))
    added = reading.parameters_count - plain.parameters_count
    assert added == markov.text.values.shape[1] * reading.item_matrix().shape[1]
    assert not reading.item_matrix()[0].any()


def test_an_unknown_student_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(ConfigError, match="no student is called 'gru'; known: deepfm, fm, gru4rec, lightgcn, sasrec"):
        student_family("gru")
