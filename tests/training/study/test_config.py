"""What a study's page says of where and how things are trained."""

from __future__ import annotations

import pytest

from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.fitting import FitConfig
from training.study.config import StudyConfig


def on(device: str) -> DistillConfig:
    return DistillConfig(fit=FitConfig(device=device))


@pytest.mark.parametrize(
    ("students", "alone", "wanted"),
    [
        ((), (), "auto"),
        (("cpu", "cpu"), ("cpu",), "cpu"),
        (("cpu", "cuda"), (), "auto"),
        (("cpu",), ("auto",), "auto"),
        (("cuda",), ("cuda",), "auto"),  # a finished study can be told where there is no GPU
    ],
)
def test_references_compute_on_the_processor_where_all_recipes_say_so(
    students: tuple[str, ...], alone: tuple[str, ...], wanted: str
) -> None:
    config = StudyConfig(
        students={str(number): on(one) for number, one in enumerate(students)},
        alone={str(number): on(one) for number, one in enumerate(alone)},
    )
    assert config.device == wanted


def test_rows_without_tutors_have_their_own_recipe_where_one_is_named() -> None:
    taught, alone = DistillConfig(weight=3), DistillConfig(weight=5)
    config = StudyConfig(students={"fm": taught, "sasrec": taught}, alone={"fm": alone})
    assert config.recipe("fm", study_row("A0")) == config.recipe("fm", study_row("C4")) == alone
    assert config.recipe("fm", study_row("A7")) == taught
    assert config.recipe("sasrec", study_row("A0")) == taught
    assert config.recipe("gru4rec", study_row("A7")) == DistillConfig()


def test_rows_that_begin_with_the_teachers_items_have_their_own_recipe_where_one_is_named() -> None:
    taught, begun = DistillConfig(weight=3), DistillConfig(weight=5)
    config = StudyConfig(students={"sasrec": taught, "fm": taught}, begun={"sasrec": begun})
    assert config.recipe("sasrec", study_row("A15")) == config.recipe("sasrec", study_row("C8")) == begun
    assert config.recipe("sasrec", study_row("A7")) == config.recipe("fm", study_row("A15")) == taught
    assert StudyConfig(students={"fm": on("cpu")}, begun={"fm": on("auto")}).device == "auto"
