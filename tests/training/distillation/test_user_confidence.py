"""Confidence by a user's other rows: its own definition, what it does not see, and what it falls back to."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.distillation.user_confidence import others_confidence, user_confidence

USER = torch.tensor([0, 0, 0, 2, 2, 5])
LOG_A = torch.tensor([[-1.0, -2.0, -6.0, -4.0, -5.0, -3.0], [-2.0, -2.0, -2.0, -1.0, -1.0, -9.0]])
ALL = torch.ones(2, 6, dtype=torch.bool)


def test_it_is_the_mean_over_the_other_rows_drawn_to_the_mean_over_all() -> None:
    found = others_confidence(LOG_A, ALL, USER, 2.0)
    overall = (-1 - 2 - 6 - 4 - 5 - 3) / 6
    assert found[0, 0] == pytest.approx((-2 - 6 + 2 * overall) / 4)
    assert found[0, 3] == pytest.approx((-5 + 2 * overall) / 3)


def test_who_has_no_other_row_has_the_mean_over_all() -> None:
    found = others_confidence(LOG_A, ALL, USER, 2.0)
    torch.testing.assert_close(found[:, 5], LOG_A.mean(dim=1))


def test_of_a_held_out_row_all_of_the_users_rows_are_heard_and_a_stranger_has_the_mean() -> None:
    found = user_confidence(LOG_A, ALL, USER, torch.tensor([2, 7, 0]), 2.0)
    overall = LOG_A.mean(dim=1)
    torch.testing.assert_close(found[:, 0], (LOG_A[:, 3] + LOG_A[:, 4] + 2 * overall) / 4)
    torch.testing.assert_close(found[:, 1], overall)
    torch.testing.assert_close(found[:, 2], (LOG_A[:, :3].sum(dim=1) + 2 * overall) / 5)


def test_a_row_that_a_teacher_did_not_score_counts_for_nothing() -> None:
    present = ALL.clone()
    present[0, 1] = False
    wild = LOG_A.clone()
    wild[0, 1] = -1e6
    found = others_confidence(wild, present, USER, 2.0)
    overall = (-1 - 6 - 4 - 5 - 3) / 5
    assert found[0, 0] == pytest.approx((-6 + 2 * overall) / 3)
    assert found[0, 1] == pytest.approx((-1 - 6 + 2 * overall) / 4)
    torch.testing.assert_close(found[1], others_confidence(LOG_A, ALL, USER, 2.0)[1])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 5), st.floats(-10, 0), st.floats(0.5, 20))
def test_a_rows_own_label_enters_through_the_mean_over_all_alone(place: int, more: float, shrinkage: float) -> None:
    """With that mean held by a row of somebody else, it does not enter."""
    elsewhere = int((USER[place] != USER).nonzero()[0])
    before = LOG_A.double()
    after = before.clone()
    after[:, place] += more
    after[:, elsewhere] -= more
    found = [others_confidence(one, ALL, USER, shrinkage)[:, place] for one in (before, after)]
    torch.testing.assert_close(found[0], found[1])


def test_teachers_change_places_and_so_does_what_is_said_of_them() -> None:
    order = torch.tensor([1, 0])
    torch.testing.assert_close(
        others_confidence(LOG_A[order], ALL, USER, 2.0), others_confidence(LOG_A, ALL, USER, 2.0)[order]
    )
