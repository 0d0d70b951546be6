import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.distillation.curriculum import CurriculumConfig
from training.distillation.open_rows import OpenRows

HARDNESS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(HARDNESS, st.integers(1, 40))
def test_easy_rows_open_first_and_stay_open(hardness: list[float], epoch: int) -> None:
    row = np.arange(len(hardness)) * 3 + 1
    curriculum = OpenRows(row, np.array(hardness), CurriculumConfig())
    now, later = (curriculum.at(torch.from_numpy(row), one) for one in (epoch, epoch + 1))
    assert not (now & ~later).any()
    exact = torch.tensor(hardness, dtype=torch.float64)
    closed = exact[~now]
    assert not closed.numel() or closed.min() > exact[now].max()
    assert bool(curriculum.at(torch.from_numpy(row), 31).all())


def test_a_row_that_nobody_scored_is_open_and_any_shape_will_do() -> None:
    curriculum = OpenRows(np.array([5, 6, 8, 9]), np.array([0.0, 1 / 3, 2 / 3, 1]), CurriculumConfig(first_share=0.3))
    assert curriculum.at(torch.tensor([[5, 9], [4, 10]]), 1).tolist() == [[True, False], [True, True]]
