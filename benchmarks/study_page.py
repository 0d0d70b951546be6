"""docs/studies.md, a page for each study and their picture, from the stored reports: what stands there was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.study_picture import draw
from benchmarks.study_summary import MAIN_STUDENT, by_popularity, by_student, left_open, summary
from benchmarks.study_tables import study_text
from benchmarks.study_words import PICTURED, WITHDRAWN
from training.study.report import REPORT, Report

PAGE = "studies.md"
FOLDER = "studies"
PICTURE = "studies.png"
_HEAD = """# Studies

![NDCG@10 of SASRec: alone, with one teacher, the mean, joint distillation, and the teachers](img/studies.png)

In short: on three of four sets joint distillation lifts SASRec, every interval above 0. On MovieLens, where there is
much to learn from, a SASRec that is trained to its end stands beside each of its teachers; one that copies them closely
is above it, masked (one seed, [decision 33](decisions/033-closer-to-the-teachers.md)), and the gain that `movies_ml1m`
once told was over an A0 that was ended too soon. Among decent teachers their plain mean does as much as weighing them,
or more; with a broken one among them the mean loses what weights keep
([decision 21](decisions/021-what-weights-are-for.md)).

Written by `python -m benchmarks.studies page` from the reports in `benchmarks/results/studies`; a test holds the pages
and the reports together.

- Every item is ranked for every test user (leave-one-out); figures are means over seeds, ± their standard deviation.
- A gain is over A0, the same student without teachers; in brackets 95% of 10,000 paired bootstraps over users, p after
  Holm's correction over the rows of a student. Intervals and p are about users: what one seed or another would have
  brought is in the ±, and of a row with one seed nothing is known of it. What the rows are:
  [Distillation](distillation.md).
- *Unmasked* is what published tables rank; *masked*, what a user has seen is no candidate, as the service answers, but
  a target that was met before stays one, as is usual. *With an offset*: unmasked, and one number is added to the scores
  of what the user has seen, fitted for each line on 1,000 users of the calibration half of validation
  (`training/evaluation/repeat_offset.py`). Published models have no such number.
- *Cut short*: so many seeds were ended by their limit of epochs, not because more had brought nothing.
- But for the one called `as_served`, epochs and recipes were chosen unmasked. How long SASRec was trained stands at
  each set: 3 to 6 epochs that bring nothing are little patience with rows that are taught
  ([decision 26](decisions/026-chosen-as-it-is-served.md)).
"""


def write_page(results: Path, docs: Path) -> Path:
    """Write the pages and their picture; the page of a study that is not stored any more goes.

    Args:
        results: one folder a study, with a `report.json` in it.
        docs: folder of the documentation.
    """
    reports = stored(results)
    page, folder = docs / PAGE, docs / FOLDER
    folder.mkdir(exist_ok=True)
    for stale in {*folder.glob("*.md")} - {folder / f"{name}.md" for name in reports}:
        stale.unlink()
    for name, one in reports.items():
        (folder / f"{name}.md").write_text(study_text(name, one), encoding="utf-8")
    page.write_text(page_text(reports), encoding="utf-8")
    pictured = [reports[name] for name in PICTURED if name in reports]
    if pictured:
        draw(pictured, docs / "img" / PICTURE)
    return page


def stored(results: Path) -> dict[str, Report]:
    """Every stored report under the name that it is kept as: its data set's, or another one."""
    return {path.parent.name: Report.read(path.parent) for path in sorted(results.glob(f"*/{REPORT}"))}


def page_text(reports: Mapping[str, Report]) -> str:
    """The page of all studies."""
    compared = _compared(reports)
    parts = (_studies(reports), summary(compared), by_student(compared), by_popularity(compared))
    return "\n".join([_HEAD, *(line for part in parts for line in part)])


def _compared(reports: Mapping[str, Report]) -> dict[str, Report]:
    return {name: one for name, one in reports.items() if name not in WITHDRAWN}


def _studies(reports: Mapping[str, Report]) -> Iterable[str]:
    """One line a study: who taught, and what is open; of a withdrawn one also that it is."""
    yield "| study | teachers | students | open |"
    yield "|---|---|---|---|"
    for name, one in reports.items():
        names = sorted((student.student for student in one.students), key=lambda student: student != MAIN_STUDENT)
        withdrawn = " (withdrawn: no gain is to be read in it)" if name in WITHDRAWN else ""
        page = f"[{name}]({FOLDER}/{name}.md){withdrawn}"
        yield f"| {page} | {', '.join(one.teachers)} | {', '.join(names)} | {left_open(one)} |"
    yield ""
