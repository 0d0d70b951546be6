"""The average of the weights: its formula, and that the steps know nothing of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.averaging import AveragedWeights
from training.dataset import Dataset
from training.students.registry import STUDENTS, student_family

DECAY = 0.9


def walked(decay: float, steps: int) -> tuple[nn.Linear, AveragedWeights, list[Tensor]]:
    """A model that went some steps at random, its average, and where it has been."""
    torch.manual_seed(1)
    model = nn.Linear(3, 2)
    averaged, been = AveragedWeights(model, decay), []
    for _ in range(steps):
        with torch.no_grad():
            model.weight += torch.randn(2, 3)
        averaged.add()
        been.append(model.weight.detach().clone())
    return model, averaged, been


def test_it_is_the_exponential_moving_average_that_begins_at_the_first_step() -> None:
    model, averaged, been = walked(DECAY, 5)
    wanted = been[0]
    for weight in been[1:]:
        wanted = DECAY * wanted + (1 - DECAY) * weight
    with averaged.in_place():
        torch.testing.assert_close(model.weight, wanted)
    assert torch.equal(model.weight, been[-1])


def test_the_own_weights_come_back_after_an_error() -> None:
    model, averaged, been = walked(DECAY, 2)
    with pytest.raises(RuntimeError, match="validation"), averaged.in_place():
        raise RuntimeError("validation")
    assert torch.equal(model.weight, been[-1])


def test_an_average_goes_on_from_its_state() -> None:
    model, averaged, _ = walked(DECAY, 3)
    other, resumed = nn.Linear(3, 2), AveragedWeights(model, DECAY)
    resumed.resume(averaged.state())
    averaged.add()
    resumed.add()
    with averaged.in_place():
        other.load_state_dict(model.state_dict())
    with resumed.in_place():
        assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_every_student_has_an_average(markov: Dataset, name: str) -> None:
    """Also once it has been asked for its items, and keeps a graph that nobody could copy."""
    student = student_family(name).build({}, markov)
    student.item_matrix()
    averaged = AveragedWeights(student, DECAY)
    averaged.add()
    first = [one.detach().clone() for one in student.parameters()]
    with torch.no_grad():
        for one in student.parameters():
            one.zero_()
    averaged.add()
    with averaged.in_place():
        for one, before in zip(student.parameters(), first, strict=True):
            torch.testing.assert_close(one.detach(), DECAY * before)
    assert not any(one.any() for one in student.parameters())


def test_buffers_are_those_of_the_last_step() -> None:
    """An average of numbers of items, say, would name other items."""
    model = nn.BatchNorm1d(2)
    averaged = AveragedWeights(model, DECAY)
    for _ in range(3):
        model(torch.randn(8, 2))
        averaged.add()
    last = {name: one.clone() for name, one in model.named_buffers()}
    with averaged.in_place():
        assert last["num_batches_tracked"] == 3
        assert all(torch.equal(one, last[name]) for name, one in model.named_buffers())


def test_a_buffer_may_change_its_shape() -> None:
    """As a teacher's, whose vectors of items are there from its first epoch on."""
    model = nn.Linear(1, 1)
    model.register_buffer("items", torch.zeros(0, 3))
    averaged = AveragedWeights(model, DECAY)
    model.register_buffer("items", torch.ones(4, 3))
    averaged.add()
    averaged.add()
    with averaged.in_place():
        assert torch.equal(model.get_buffer("items"), torch.ones(4, 3))
