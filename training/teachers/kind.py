"""What a kind of teacher has to say of itself, so that every step works for it. A new teacher is one such class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar, cast

from pydantic import Field

from training.config import Config, ConfigError
from training.dataset import Dataset
from training.evaluation.selection import SelectOn
from training.fitting import FitConfig, Objective
from training.teachers.base import Teacher
from training.teachers.corpus import Corpus


class TeacherConfig(Config, ABC):
    """The sizes of a model, and the content that it reads."""

    content_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that say which content a saved model reads: they must be those of the data at hand, or say nothing."""

    @abstractmethod
    def reading(self, corpus: Corpus) -> Self:
        """The same sizes for a model that reads this content."""

    def differs(self, corpus: Corpus, *, may_lack: bool) -> tuple[str, ...]:
        """Where the content that a saved model reads is not this one, in words.

        Args:
            corpus: the content at hand.
            may_lack: whether one of the two may have a kind of content that the other has not (a pre-trained model
                reads pictures that the target has none of, or the other way round).
        """
        other = self.reading(corpus)
        pairs = ((field, getattr(self, field), getattr(other, field)) for field in self.content_fields)
        return tuple(
            f"{field} is {found!r} there and {wanted!r} here"
            for field, found, wanted in pairs
            if found != wanted and not (may_lack and not (found and wanted))
        )


class PretrainConfig(Config):
    """How a teacher is pre-trained; each kind adds its own."""

    fit: FitConfig


class FinetuneConfig(Config):
    """How a teacher is fitted to the target catalogue; each kind adds its own."""

    fit: FitConfig
    select_on: SelectOn = "unmasked"
    """Which validation NDCG@10 stops the training."""
    validation_users: int = Field(default=0, ge=0)
    """Stop by this many validation users, evenly taken; 0: all. For teachers that need a pass for each."""


class TeacherRecipe(Config):
    """One TOML file for a teacher: sizes, pre-training, fine-tuning."""

    model: TeacherConfig
    pretrain: PretrainConfig
    finetune: FinetuneConfig

    def seeded(self, seed: int | None) -> Self:
        """The same recipe with another seed for both steps; None: as it is."""
        if seed is None:
            return self
        parts = {
            name: part.model_copy(update={"fit": part.fit.model_copy(update={"seed": seed})})
            for name, part in (("pretrain", self.pretrain), ("finetune", self.finetune))
        }
        return self.model_copy(update=parts)


@dataclass(frozen=True)
class Stage:
    """One training of several that follow each other, each from the best weights of the one before."""

    title: str
    objective: Objective
    fit: FitConfig


C = TypeVar("C", bound=TeacherConfig)
R = TypeVar("R", bound=TeacherRecipe)
T = TypeVar("T", bound=Teacher)


class TeacherKind(ABC, Generic[C, R, T]):
    """A model, how it learns on many domains, and how it is fitted to one."""

    name: ClassVar[str]
    """What the command line calls it."""
    recipe: type[R]

    @abstractmethod
    def build(self, config: C, corpus: Corpus) -> T:
        """A fresh model for the items of a corpus; `config` reads this corpus already."""

    @abstractmethod
    def pretraining(self, model: T, corpus: Corpus, recipe: R) -> Objective:
        """What is learnt from all domains."""

    @abstractmethod
    def finetuning(self, model: T, dataset: Dataset, recipe: R) -> Iterable[Stage]:
        """What is learnt from the target, one stage after the other; each stops by the target's validation users.

        A stage is taken when the one before it is done, so a generator may change the model between two.
        """

    @abstractmethod
    def adopt(self, model: T, pretrained: T, recipe: R) -> None:
        """Take over what carries over to other items, and freeze what the recipe freezes."""

    def pretrained(self, wanted: C) -> C:
        """The sizes for pre-training, from the recipe's."""
        return wanted

    def tuned(self, wanted: C, pretrained: C) -> C:
        """The sizes of a model that begins with a pre-trained one: that one's, where nothing else is said."""
        del wanted
        return pretrained

    def config_of(self, model: T) -> C:
        """What a model was built from."""
        return cast(C, model.config)

    def official(self, path: Path, recipe: R, corpus: Corpus) -> T:
        """A pre-trained model out of the file that its authors published.

        Raises:
            ConfigError: no such format is known for this kind.
            ArtefactError: the file is not of that format.
        """
        del recipe, corpus
        raise ConfigError(f"{path}: {self.name} knows no published file format; give the folder of a pre-trained one")
