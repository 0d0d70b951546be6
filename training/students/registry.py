"""Students by the name that the command line uses."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import Config, ConfigError
from training.students.sasrec import SASRec, SASRecConfig
from training.two_tower import CausalTwoTower


@dataclass(frozen=True)
class StudentFamily:
    """A model class and the class of its configuration."""

    model: type[SASRec]
    config: type[SASRecConfig]

    def build(self, config: Config, items: int) -> CausalTwoTower:
        """A fresh student for N = `items` items."""
        return self.model(self.config.model_validate(config.model_dump()), items)


STUDENTS = {"sasrec": StudentFamily(SASRec, SASRecConfig)}


def student_family(name: str) -> StudentFamily:
    """Look a student up.

    Raises:
        ConfigError: no student has this name; the known ones are listed.
    """
    if name not in STUDENTS:
        raise ConfigError(f"no student is called {name!r}; known: {', '.join(sorted(STUDENTS))}")
    return STUDENTS[name]
