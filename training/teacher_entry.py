"""What a cache of knowledge says of each teacher in it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from training.artefacts import TeacherSource
from training.config import Config, ConfigError
from training.teachers.ease import EaseConfig
from training.teachers.transitions import TransitionsConfig, TransitionsSearch


class EaseLink(Config):
    """p = (1 - smoothing) softmax(scores / peak) + smoothing * popularity, fitted on half of validation.

    Most items have a linear score of about 0: a softmax alone is blind, or absurd about what it did not see coming.
    """

    teacher: ClassVar[str] = "ease"
    model: EaseConfig
    peak: float = Field(gt=0)
    smoothing: float = Field(gt=0, lt=1)


class TransitionsLink(Config):
    """Its counts are evidence, and popularity is worth so much of it: what was fitted on half of validation."""

    teacher: ClassVar[str] = "transitions"
    model: TransitionsConfig
    search: TransitionsSearch
    """Among what `model` was chosen."""


class RepeatCalibration(Config):
    """How a teacher is calibrated where one number is added to its logits of what the row's user met before."""

    calibration: float = Field(gt=0)
    """T_m, fitted together with o_m."""
    offset: float = Field(allow_inf_nan=False)
    """o_m, in the unit of calibrated logits."""
    optimism: float
    """delta_m with both."""
    said: float = Field(ge=0, le=1)
    """Mean probability on what was met before, without o_m, at held-out rows."""
    came_back: float = Field(ge=0, le=1)
    """Share of those rows whose user did come back to something."""


class TeacherEntry(Config):
    """One teacher's part of the cache, in the folder named `folder`."""

    name: str
    folder: str
    fingerprint: str
    """sha256 of its weights."""
    temperature: float = Field(gt=0)
    """tau of the teacher's own softmax."""
    calibration: float = Field(gt=0)
    """T_m of equation 1: the softmax over the catalogue is best calibrated on validation at tau * T_m."""
    rows: int = Field(ge=1)
    """Train rows that it scored."""
    held_out_rows: int = Field(ge=0)
    """Validation and test rows that it scored: all of them."""
    width: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: dict[str, str]
    """Of each array."""
    seconds: float
    optimism: float = 0.0
    """delta_m: how much surer it is, in mean ln p(y), of train rows than of rows that it never met."""
    repeats: RepeatCalibration | None = None
    """None: gathered before there was one."""
    cut_short: bool | None = None
    """Its fine-tuning was ended by its limit of epochs, where patience would have gone on. None: not noted, or not
    trained in epochs."""
    ease: EaseLink | None = None
    """How the scores of the linear teacher become probabilities; None: it is none."""
    transitions: TransitionsLink | None = None
    """How the counts of the counting teacher become probabilities; None: it is none."""

    @property
    def closed_form(self) -> bool:
        """Whether it is no pair of towers, cosines over a temperature, and its link is calibrated already."""
        return self.ease is not None or self.transitions is not None

    def minding_repeats(self) -> tuple[TeacherEntry, float]:
        """The same teacher calibrated together with its o_m, and o_m.

        Raises:
            ConfigError: none was fitted.
        """
        if self.repeats is None:
            raise ConfigError(
                f"repeat_offsets: the cache has none for {self.name}; gather it again, and teachers that are in it"
                " are calibrated, not asked, again"
            )
        fitted = {"calibration": self.repeats.calibration, "optimism": self.repeats.optimism}
        return self.model_copy(update=fitted), self.repeats.offset

    @property
    def source(self) -> TeacherSource:
        """What a student that learns from it notes."""
        offset = None if self.repeats is None else self.repeats.offset
        return TeacherSource(name=self.name, fingerprint=self.fingerprint, rows=self.rows, repeat_offset=offset)
