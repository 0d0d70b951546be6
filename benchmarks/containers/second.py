"""A second model comes into the volume while the first serves, and gets a share of the users."""

from __future__ import annotations

import time
from dataclasses import asdict

from benchmarks.containers.load import Users, while_asked
from benchmarks.containers.stack import FIRST, SECOND, Stack, Told
from benchmarks.containers.truth import Truth

TRAIN = f"""
sed 's/^epochs = .*/epochs = 2/' configs/movielens-100k/student.toml > /tmp/student.toml
cd /work/movielens-100k
python -m training distill sasrec --data data --knowledge knowledge --config /tmp/student.toml --seed 1 --out {SECOND}
python -m export {SECOND} /models/{SECOND} --data data
"""
"""Two epochs: it need not be good, only another one."""
SHARE = 20.0
ASKED = 1_000
MOST_APART = 5.0
"""Percent: four standard deviations of a share of 20 % among 1,000 users."""


def train_another(stack: Stack) -> Told:
    """A student of another seed, distilled and exported by the trainer's image while the service goes on."""
    seconds: list[float] = []
    loaded = while_asked(stack.service.port, Users(stack.truth(FIRST)), lambda: seconds.append(_train(stack)))
    states = stack.states()
    return Told(
        {"seconds": seconds[0], "meanwhile": asdict(loaded), "states": states},
        {
            "no request failed meanwhile": not loaded.failed,
            "the first still answers, the second waits": states == {FIRST: "active", SECOND: "on_disk"},
        },
    )


def _train(stack: Stack) -> float:
    began = time.monotonic()
    stack.compose.once("trainer", "sh", "-ec", TRAIN)
    return round(time.monotonic() - began, 1)


def divide(stack: Stack) -> Told:
    """Two workers; a fifth of the users get the second model."""
    truth = stack.truth(FIRST, SECOND)
    ready = stack.serve({"WORKERS": "2", "REC_VARIANTS": f"control=active:{100 - SHARE},new={truth.second}:{SHARE}"})
    wrong = stack.service.wrong_lists(truth)
    percent, steady = _shares(stack, truth)
    return Told(
        {"ready_seconds": ready, "percent_on_the_second": percent, "complaints": wrong},
        {
            "every list is that of its version": not wrong,
            "the share is what was asked for": abs(percent - SHARE) <= MOST_APART,
            "who asks again has the same model": steady,
        },
    )


def _shares(stack: Stack, truth: Truth) -> tuple[float, bool]:
    """Percent of the users who got the second model, and whether everybody got the same one twice."""
    given = []
    for user in range(ASKED):
        answers = [stack.service.send("POST", "/recommend", {"user_id": f"visitor-{user}"})[1] for _ in range(2)]
        given.append({(one["variant"], one["model_version"]) for one in answers})
    on_second = sum(one == {("new", truth.second)} for one in given)
    return 100 * on_second / ASKED, on_second + sum(one == {("control", truth.first)} for one in given) == ASKED
