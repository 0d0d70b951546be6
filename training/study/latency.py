"""How long a student takes for one request, as it serves: a history in, scores out, one thread."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import torch

from training.dataset import Dataset
from training.evaluation.ranking import Scorer

REQUESTS = 200
"""Test users asked one at a time; the first tenth warms up and is not counted."""


def latency_ms(scorer: Scorer, dataset: Dataset, requests: int = REQUESTS) -> float:
    """The median over single requests, in milliseconds, in torch: what the service adds, or saves by its graphs, is not
    in it. For comparing students with each other."""
    rows = dataset.split.test.row[:requests]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = [_one(scorer, dataset, place) for place in range(len(rows))]
    finally:
        torch.set_num_threads(threads)
    return 1000 * median(seconds[len(seconds) // 10 :])


def _one(scorer: Scorer, dataset: Dataset, place: int) -> float:
    row = dataset.split.test.row[place : place + 1]  # [1]
    started = perf_counter()
    scorer.scores(dataset.interactions, row)
    return perf_counter() - started
