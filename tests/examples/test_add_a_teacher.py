"""The page runs, and the teacher on it holds to the laws of teachers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from examples.add_a_teacher import FIT, TextMeanKind, TextMeanRecipe
from training.teachers.kind import FinetuneConfig, PretrainConfig
from training.testing.teacher_conformance import TeacherConformance

ROOT = Path(__file__).parents[2]
SMALL = FIT.model_copy(update={"epochs": 3, "device": "cpu"})


class TestTextMean(TeacherConformance):
    kind = TextMeanKind()
    recipe = TextMeanRecipe(pretrain=PretrainConfig(fit=SMALL), finetune=FinetuneConfig(fit=SMALL))


def test_the_page_prints_both_teachers_and_what_they_leave_behind() -> None:
    done = subprocess.run(
        [sys.executable, "examples/add_a_teacher.py"], cwd=ROOT, capture_output=True, text=True,
        timeout=200, check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    found = [re.fullmatch(r"([\w-]+) +ndcg@10 (0\.\d{4}), (\d+) rows of knowledge", line) for line in lines]
    assert [match and match[1] for match in found] == ["text-mean", "unisrec"]
    for match in found:
        assert match
        assert float(match[2]) > 3 * 0.0454  # of a guess among 100 items: sum over ranks 1 to 10 of 1 / log2(1 + rank)
        assert match[3] == found[0][3]  # type: ignore[index]  # both answer every row
