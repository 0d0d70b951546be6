"""What a study trains: the recipe of each student, and what stands in published tables."""

from __future__ import annotations

from pydantic import Field

from training.config import Config
from training.devices import DeviceChoice
from training.distillation.recipe import DistillConfig
from training.distillation.rows import Row
from training.study.report import ReportConfig


class StudyConfig(Config):
    """A study's own page."""

    students: dict[str, DistillConfig] = Field(default_factory=dict)
    """Student family -> recipe, the same for all rows with tutors; a family that is not named has the defaults."""
    alone: dict[str, DistillConfig] = Field(default_factory=dict)
    """Student family -> recipe of the rows without tutors (A0, C4), where another one suits them better on validation:
    what teachers give is told against the best that there is without them. Not named: as with tutors."""
    begun: dict[str, DistillConfig] = Field(default_factory=dict)
    """Student family -> recipe of the rows that begin with the teachers' item vectors (A15, C8), where another one
    suits them better on validation. Not named: as with tutors."""
    published: dict[str, float] = Field(default_factory=dict)
    """Student family -> NDCG@10 without distillation in the published table of the same data and split."""
    report: ReportConfig = Field(default_factory=ReportConfig)

    @property
    def device(self) -> DeviceChoice:
        """Where what stands beside the students computes: on the processor where all recipes named say so."""
        named = (*self.students.values(), *self.alone.values(), *self.begun.values())
        said = {one.fit.device for one in named}
        return "cpu" if said == {"cpu"} else "auto"

    def recipe(self, student: str, row: Row) -> DistillConfig:
        """The recipe of a student family in a row."""
        with_tutors = self.students.get(student, DistillConfig())
        if row.teaching is None:
            return self.alone.get(student, with_tutors)
        return self.begun.get(student, with_tutors) if row.teaching.seeded else with_tutors
