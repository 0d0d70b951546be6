"""The rows of the study: who teaches, what the weights rest on, and the controls without which a gain means nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.config import ConfigError

Cast = Literal["all", "shuffled", "one shuffled", "popularity"]
"""Whose opinions are heard. shuffled: every teacher's users are those of other rows, so that it knows the items and
nothing of the user; one shuffled: only the first teacher's; popularity: a teacher that says the same to everybody."""
Weighting = Literal["integration", "by user", "ca-mkd", "ebkd", "learned"]
"""What makes the weights of the teachers: equation 5, by the row's own label or the user's other rows, or one of those
that it is compared with."""
Lesson = Literal["distribution", "dllm2rec", "relaxed ranking", "label smoothing", "none"]
"""What the student is to take over: the mixture of distributions (equation 9), or what it is compared with."""


@dataclass(frozen=True)
class Teaching:
    """How the teachers of a row teach."""

    powers: tuple[float, float] = (0.0, 0.0)
    """(alpha, beta) of equation 5; both 0: the plain mean."""
    weighting: Weighting = "integration"
    lesson: Lesson = "distribution"
    cast: Cast = "all"
    only: int | None = None
    """The number of the one teacher that is heard; None: all."""
    curriculum: bool = False
    """Easy rows first (equation 11)."""
    alignment: bool = False
    """The student's vectors are drawn to the teachers', too (equation 10)."""

    gated: bool = False
    """Behind the no-harm gate (equation 7), whatever the recipe says."""
    trusted: bool = False
    """Confidence is weighed by how far each teacher is trusted on held-out rows: a prior that is not uniform."""
    seeded: bool = False
    """The student's item table begins with the principal components of the teachers' item vectors."""

    @property
    def needs_knowledge(self) -> bool:
        """Whether there must be a cache of teachers."""
        return self.lesson != "label smoothing" and self.cast != "popularity"


@dataclass(frozen=True)
class Row:
    """One way to train a student."""

    name: str
    meaning: str
    teaching: Teaching | None = None
    """None: no distillation."""
    reads_content: bool = False
    """The student is given the items' text vectors as input, at serving too."""

    def fits(self, teachers: int) -> bool:
        """Whether so many teachers have the one that this row hears alone."""
        return self.teaching is None or self.teaching.only is None or self.teaching.only < teachers


ROWS = {
    row.name: row
    for row in (
        Row("A0", "no distillation"),
        Row("A1", "the first teacher alone", Teaching(only=0)),
        Row("A2", "the second teacher alone", Teaching(only=1)),
        Row("A3", "the third teacher alone", Teaching(only=2)),
        Row("A4", "the plain mean of all teachers", Teaching()),
        Row("A5", "weighed by confidence", Teaching((1, 0))),
        Row("A6", "weighed by consistency", Teaching((0, 2))),
        Row("A7", "weighed by confidence and consistency", Teaching((1, 2))),
        Row("A8", "A7 with a curriculum", Teaching((1, 2), curriculum=True)),
        Row("A9", "CA-MKD's weights", Teaching(weighting="ca-mkd")),
        Row("A10", "EBKD's weights", Teaching(weighting="ebkd")),
        Row("A11", "DLLM2Rec's weights per item", Teaching(lesson="dllm2rec")),
        Row("A12", "relaxed ranking of A7's mixture", Teaching((1, 2), lesson="relaxed ranking")),
        Row("A13", "A7 with alignment of vectors", Teaching((1, 2), alignment=True)),
        Row("A14", "weighed by a learned gate", Teaching(weighting="learned")),
        Row("A15", "A7, begun with the teachers' item vectors", Teaching((1, 2), seeded=True)),
        Row("A16", "the fourth teacher alone", Teaching(only=3)),
        Row("A17", "A7 behind the no-harm gate", Teaching((1, 2), gated=True)),
        Row("A18", "A7 under a fitted prior over teachers", Teaching((1, 2), trusted=True)),
        Row("A19", "A7 by what each teacher knew of the user's other rows", Teaching((1, 2), weighting="by user")),
        Row("C1", "control: label smoothing", Teaching(lesson="label smoothing")),
        Row("C2", "control: the student's own A0 is the teacher", Teaching(only=0)),
        Row("C3", "control: A7, every teacher's rows shuffled", Teaching((1, 2), cast="shuffled")),
        Row("C4", "control: no teachers, text vectors as input", reads_content=True),
        Row("C5", "control: popularity is the teacher", Teaching(cast="popularity")),
        Row("C7", "control: A7, the first teacher's rows shuffled", Teaching((1, 2), cast="one shuffled")),
        Row("C9", "control: C7 behind the no-harm gate", Teaching((1, 2), cast="one shuffled", gated=True)),
        Row("C10", "control: A4, the first teacher's rows shuffled", Teaching(cast="one shuffled")),
        Row(
            "C11",
            "control: A19, the first teacher's rows shuffled",
            Teaching((1, 2), weighting="by user", cast="one shuffled"),
        ),
        Row("C8", "control: A15's beginning, no teaching", Teaching(lesson="none", seeded=True)),
    )
}
"""C6, the teachers' own mixture, is no student: the study measures it beside these."""


def study_row(name: str) -> Row:
    """Look a row up.

    Raises:
        ConfigError: no row has this name; the known ones are listed.
    """
    if name not in ROWS:
        known = ", ".join(f"{row.name} ({row.meaning})" for row in ROWS.values())
        raise ConfigError(f"no row is called {name!r}; known: {known}")
    return ROWS[name]
