"""The recipe of a student: everything about its training that is no data."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from training.artefacts import ModelRecord
from training.config import Config, ConfigError
from training.distillation.candidates import AddedCandidates
from training.distillation.curriculum import CurriculumConfig
from training.distillation.learned_gate import LearnedGateConfig
from training.distillation.row_gate import RowGateConfig
from training.evaluation.selection import SelectOn
from training.fitting import FitConfig


class DistillConfig(Config):
    """The recipe of a student."""

    student: dict[str, JsonValue] = Field(default_factory=dict)
    """What differs from the student family's defaults."""
    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=200, patience=10))
    alone_epochs: int = Field(default=0, ge=0)
    """A last stage of at most so many epochs: from the best weights of the first, by the next items alone, with steps,
    batches and patience as there. What ends worse is not kept. Teachers help in the beginning, and may hold
    a student back in the end (early-stopped distillation: Cho and Hariharan, ICCV 2019). 0: taught to the end."""
    select_on: SelectOn = "unmasked"
    """Which validation NDCG@10 picks the epoch, on the selection half of the validation users."""
    repeat_offsets: bool = False
    """Whether each teacher's o_m is added to its logits of what the row's user met before: how likely people come back
    to things, read off held-out users. For lists that what was seen may be in (decision 30)."""
    candidates: Literal["catalogue"] | AddedCandidates = "catalogue"
    """Over what teachers and student are compared. catalogue: everything, through soft targets made beforehand."""
    top: int = Field(default=100, ge=1)
    """K: how many of a soft target's likeliest items are kept by name; the others are one outcome."""
    weight: float = Field(default=2.0, ge=0)
    """lambda: weight of the distillation loss."""
    warm_up_epochs: int = Field(default=5, ge=0)
    """lambda rises linearly over these."""
    temperature: float = Field(default=1.0, gt=0)
    """T: teachers and student are softened by it."""
    gate: RowGateConfig | None = None
    """The no-harm gate over rows (equation 7); none: every row counts alike."""
    curriculum: CurriculumConfig = Field(default_factory=CurriculumConfig)
    """For rows with a curriculum."""
    alignment: float = Field(default=0.1, ge=0)
    """mu: weight of the alignment losses, in rows that have them."""
    learned_gate: LearnedGateConfig = Field(default_factory=LearnedGateConfig)
    """For rows weighed by a learned gate."""
    smoothing: float = Field(default=0.1, gt=0, lt=1)
    """Probability that label smoothing gives to all items together, in the control that does it."""
    ranked: int = Field(default=10, ge=2)
    """How many of a row's likeliest items are ranked, in the rows that rank."""
    unranked: int = Field(default=100, ge=1)
    """Relaxed ranking: how many other items, drawn for each step, are to stand below them."""

    @model_validator(mode="after")
    def _offsets_are_for_the_catalogue(self) -> Self:
        if self.repeat_offsets and self.candidates != "catalogue":
            raise ValueError(f"repeat_offsets: candidates = {self.candidates!r} has no item of the prefix to move")
        return self

    @property
    def alone_fit(self) -> FitConfig:
        """How the last stage is trained."""
        return self.fit.model_copy(update={"epochs": self.alone_epochs})

    def made(self, record: ModelRecord) -> bool:
        """Whether a model is of this recipe. What an older version's record does not name had its default; what nobody
        knows any more makes it another one."""
        try:
            return DistillConfig.from_values(record.recipe, record.name) == self
        except ConfigError:
            return False

    def seeded(self, seed: int | None) -> DistillConfig:
        """The same with another seed; None: as it is."""
        if seed is None:
            return self
        return self.model_copy(update={"fit": self.fit.model_copy(update={"seed": seed})})
