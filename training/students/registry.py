"""Students by the name that the command line uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import JsonValue

from training.config import Config, ConfigError
from training.dataset import Contents
from training.students.base import Student
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FM, FMConfig
from training.students.gru4rec import GRU4Rec, GRU4RecConfig
from training.students.item_fields import item_fields
from training.students.lightgcn import LightGCN, LightGCNConfig
from training.students.sasrec import SASRec, SASRecConfig
from training.students.user_graph import train_graph


@dataclass(frozen=True)
class StudentFamily:
    """How students of one kind are made."""

    name: str
    config: type[Config]
    make: Callable[[Any, Contents], Student]
    """From a configuration of that class, for a data set's catalogue (and its item fields, or its train graph)."""
    reads_content: Callable[[Any, Contents], Student] | None = None
    """The same with the items' text vectors as input; None: there is no such thing."""

    def build(self, values: Mapping[str, JsonValue], dataset: Contents, *, content: bool = False) -> Student:
        """A fresh student.

        Args:
            values: what differs from the defaults of its configuration.
            dataset: what it is for.
            content: whether it reads the items' text vectors.

        Raises:
            ConfigError: an unknown or bad value, or a family that cannot read content.
        """
        make = self.reads_content if content else self.make
        if make is None:
            raise ConfigError(f"{self.name} has no form that reads the items' texts")
        return make(self.config.from_values(values, f"student {self.name}"), dataset)


def _sasrec(config: SASRecConfig, dataset: Contents) -> Student:
    return SASRec(config, len(dataset.catalog))


def _sasrec_on_text(config: SASRecConfig, dataset: Contents) -> Student:
    return SASRec(config, len(dataset.catalog), torch.from_numpy(dataset.text.values.copy()))


def _gru4rec(config: GRU4RecConfig, dataset: Contents) -> Student:
    return GRU4Rec(config, len(dataset.catalog))


def _fm(config: FMConfig, dataset: Contents) -> Student:
    return FM(config, item_fields(dataset))


def _deepfm(config: DeepFMConfig, dataset: Contents) -> Student:
    return DeepFM(config, item_fields(dataset))


def _lightgcn(config: LightGCNConfig, dataset: Contents) -> Student:
    return LightGCN(config, train_graph(dataset))


STUDENTS = {
    one.name: one
    for one in (
        StudentFamily("sasrec", SASRecConfig, _sasrec, _sasrec_on_text),
        StudentFamily("gru4rec", GRU4RecConfig, _gru4rec),
        StudentFamily("fm", FMConfig, _fm),
        StudentFamily("deepfm", DeepFMConfig, _deepfm),
        StudentFamily("lightgcn", LightGCNConfig, _lightgcn),
    )
}


def student_family(name: str) -> StudentFamily:
    """Look a student up.

    Raises:
        ConfigError: no student has this name; the known ones are listed.
    """
    if name not in STUDENTS:
        raise ConfigError(f"no student is called {name!r}; known: {', '.join(sorted(STUDENTS))}")
    return STUDENTS[name]
