"""A product with a matrix of which a history needs few rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sparse_product(few: Tensor, matrix: Tensor) -> Tensor:
    """few @ matrix, float[R, N] and float[N, N], reading only the rows of the matrix that a history has items of.

    A history has tens of them and a catalogue thousands: what that is worth stands in decision 14.
    """
    line, item = few.nonzero(as_tuple=True)  # [E] each
    count = torch.bincount(line, minlength=len(few))  # [R]
    first = count.cumsum(dim=0) - count  # [R]
    return nn.functional.embedding_bag(item, matrix, first, mode="sum", per_sample_weights=few[line, item])  # [R, N]
