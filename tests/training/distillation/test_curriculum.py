import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from training.distillation.curriculum import CurriculumConfig, difficulty, open_rows, open_share

SIZE = st.integers(1, 60)
SEED = st.integers(0, 10_000)
PACE = st.builds(CurriculumConfig, first_share=st.floats(0.05, 1), epochs=st.integers(1, 40))


def judged(seed: int, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean NLL, with ties and an inf now and then, and mean consistency of random rows."""
    rng = np.random.default_rng(seed)
    nll = rng.integers(0, 12, rows).astype(np.float32)
    nll[rng.random(rows) < 0.05] = np.inf
    return nll, (rng.integers(0, 5, rows) / 4).astype(np.float32)


@given(SEED, SIZE)
def test_difficulty_is_the_share_of_the_others_that_are_easier_ties_counting_half(seed: int, rows: int) -> None:
    nll, agreement = judged(seed, rows)
    hard = nll + (1 - agreement)
    wanted = [
        ((hard < one).sum() + ((hard == one).sum() - 1) / 2) / (rows - 1) if rows > 1 else 0.5 for one in hard.tolist()
    ]
    assert np.allclose(difficulty(nll, agreement), wanted)


@given(SEED, SIZE)
def test_rows_that_nobody_scored_stand_in_the_middle_and_move_no_other(seed: int, rows: int) -> None:
    nll, agreement = judged(seed, rows)
    silent = np.random.default_rng(seed + 1).random(rows) < 0.3
    found = difficulty(np.where(silent, np.nan, nll), agreement)
    assert (found[silent] == 0.5).all()
    assert np.array_equal(found[~silent], difficulty(nll[~silent], agreement[~silent]))


def test_less_agreement_is_harder_where_confidence_is_the_same() -> None:
    assert difficulty(np.array([3.0, 3.0, 3.0]), np.array([0.2, 0.9, 0.5])).tolist() == [1, 0, 0.5]


@given(PACE, st.integers(1, 80))
def test_the_share_begins_at_the_first_never_falls_and_ends_at_1(pace: CurriculumConfig, epoch: int) -> None:
    shares = [open_share(one, pace.first_share, pace.epochs) for one in (1, epoch, epoch + 1, pace.epochs + 1)]
    assert shares[0] == pytest.approx(pace.first_share)
    assert shares[1] <= shares[2]
    assert shares[3] == pytest.approx(1)
    assert all(0 < one <= 1 for one in shares)


@given(PACE)
def test_the_square_of_the_share_rises_linearly(pace: CurriculumConfig) -> None:
    squares = [open_share(epoch, pace.first_share, pace.epochs) ** 2 for epoch in range(1, pace.epochs + 2)]
    assert np.allclose(np.diff(squares), (1 - pace.first_share**2) / pace.epochs)


@given(SEED, SIZE, PACE, st.integers(1, 50))
def test_an_epoch_opens_the_easiest_rows_at_least_its_share_and_closes_none_again(
    seed: int, rows: int, pace: CurriculumConfig, epoch: int
) -> None:
    hardness = difficulty(*judged(seed, rows))
    now, later = (open_rows(hardness, one, pace) for one in (epoch, epoch + 1))
    assert now.mean() >= open_share(epoch, pace.first_share, pace.epochs) - 1e-12
    assert not (now & ~later).any()
    if not now.all():
        assert hardness[now].max() < hardness[~now].min()
    assert open_rows(hardness, pace.epochs + 1, pace).all()


def test_without_ties_no_more_than_one_row_is_open_beyond_the_share() -> None:
    hardness = difficulty(np.arange(1000.0), np.ones(1000))
    assert open_rows(hardness, 1, CurriculumConfig()).sum() == 301


def test_no_rows_are_no_error() -> None:
    assert open_rows(difficulty(np.zeros(0), np.zeros(0)), 1, CurriculumConfig()).shape == (0,)


@pytest.mark.parametrize("bad", [{"first_share": 0}, {"first_share": 1.1}, {"epochs": 0}])
def test_a_pace_that_cannot_be_meant_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        CurriculumConfig.model_validate(bad)
