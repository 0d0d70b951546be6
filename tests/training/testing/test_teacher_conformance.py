"""The laws can be broken: a teacher that errs in one way fails the law that names it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.config import Config
from training.teachers.base import CausalTeacher
from training.testing.small_data import ITEMS
from training.testing.teacher_conformance import TeacherConformance


class Sound(CausalTeacher):
    """The sum of the items so far, each weighed by when it was met."""

    name, max_history, temperature, config = "sound", 6, 0.1, Config()

    def raw_item_matrix(self) -> Tensor:
        return torch.randn(ITEMS + 1, 5, generator=torch.Generator().manual_seed(0))

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        known = (history != 0).float()[..., None]
        return (torch.nn.functional.embedding(history, items) * known * known.cumsum(dim=1)).cumsum(dim=1)


class Long(Sound):
    def hidden(self, history: Tensor) -> Tensor:
        return 2 * super().hidden(history)


class ReadsPadding(Sound):
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        return torch.nn.functional.embedding(history, items).cumsum(dim=1)


class ReadsItsNeighbours(Sound):
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        found = super().raw_hidden(history, items)
        return found + found.mean(dim=0)


class SeesTheFuture(Sound):
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        found = super().raw_hidden(history, items)
        return found + found[:, -1:]


class TakesAnItemForPadding(Sound):
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        return super().raw_hidden(torch.where(history == 9, 0, history), items)


class KnowsNothingOfTheBare(Sound):
    def raw_item_matrix(self) -> Tensor:
        return super().raw_item_matrix() * (torch.arange(ITEMS + 1) != 3)[:, None]


class DividesByNothing(Sound):
    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        return super().raw_hidden(history, items) / (history != 0).sum(dim=1)[:, None, None]


LAWS = {
    Long: TeacherConformance.test_vectors_have_length_1_and_the_shapes_that_were_promised,
    ReadsPadding: TeacherConformance.test_left_padding_changes_nothing,
    ReadsItsNeighbours: TeacherConformance.test_a_batch_says_what_each_of_it_says_alone,
    SeesTheFuture: TeacherConformance.test_a_prefix_has_in_a_longer_history_the_vector_that_it_has_alone,
    TakesAnItemForPadding: TeacherConformance.test_every_item_is_more_than_padding,
    KnowsNothingOfTheBare: TeacherConformance.test_items_of_which_nothing_is_said_have_vectors,
    DividesByNothing: TeacherConformance.test_an_empty_history_has_a_vector_without_a_nan,
}


@pytest.mark.parametrize("broken", LAWS, ids=lambda one: one.__name__)
def test_a_teacher_that_breaks_a_law_is_found_out(broken: type[Sound]) -> None:
    LAWS[broken](TeacherConformance(), Sound())
    with pytest.raises(AssertionError):
        LAWS[broken](TeacherConformance(), broken())
