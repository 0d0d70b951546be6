"""What figures show is read back out of them; how they look was looked at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from training.study.findings import Findings, RunFinding
from training.study.forest import forest
from training.study.gallery import Plot, student_plots, study_plots
from training.study.plot_style import BLUE, INK, inline_svg, png, short
from training.study.plots import cost, curves, group_gains, teachers, told_rows, weights
from training.study.report import Report, ReportConfig, report
from training.study.significance import BootstrapConfig
from training.study.verdicts import signed

QUICK = ReportConfig(bootstrap=BootstrapConfig(resamples=400, seed=1))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def every(findings: Findings, found: Report) -> Iterator[Plot]:
    yield from student_plots(findings, found)
    yield from study_plots(found)


def test_the_forest_says_every_gain_once(made: Report) -> None:
    student = made.students[0]
    figure = forest(made, student, "masked")
    assert figure is not None
    said = texts(figure)
    for row in student.rows:
        shown = row.name == "C6" or (row.kind == "student" and row.name != "A0")
        assert said.count(row.name) == shown
        if shown:
            one = student.difference(row.name, "A0", "masked")
            assert one is not None
            assert signed(one.estimate) in said
            assert f"[{signed(one.low)}, {signed(one.high)}]" in said
    assert "unisrec alone" in said


def test_marks_of_the_forest_stand_at_the_gains_and_are_filled_where_holm_says(made: Report) -> None:
    student = made.students[0]
    figure = forest(made, student, "unmasked")
    assert figure is not None
    marks = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "D")]
    drawn = {round(float(np.asarray(line.get_xdata())[0]), 12): line for line in marks}
    for name in ("A7", "C1", "C3", "C6"):
        one = student.difference(name, "A0", "unmasked")
        assert one is not None
        mark = drawn[round(one.estimate, 12)]
        sure = one.holm_p is None or one.holm_p < 0.05
        assert (mark.get_markerfacecolor() == mark.get_color()) == sure
    assert len(marks) == 21


def test_curves_are_those_of_the_told_rows_and_the_dot_is_the_best_epoch(findings: Findings, made: Report) -> None:
    figure = curves(findings, made.students[0], "unmasked")
    assert figure is not None
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "None"]
    assert len(lines) == 3 * len(told_rows(made.students[0], "unmasked")) == 12
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    for line, dot in zip(lines, dots, strict=True):
        assert float(np.asarray(dot.get_ydata())[0]) == np.asarray(line.get_ydata()).max()


def test_a_last_stage_is_dotted_and_begins_with_the_next_epoch(findings: Findings, made: Report) -> None:
    def staged(run: RunFinding) -> RunFinding:
        points = tuple(one.model_copy(update={"stage": 1 + (one.epoch > 10)}) for one in run.curve)
        return replace(run, curve=points)

    figure = curves(replace(findings, runs=tuple(map(staged, findings.runs))), made.students[0], "unmasked")
    assert figure is not None
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "None"]
    assert len(lines) == 2 * 12
    first, last = ([line for line in lines if line.get_linestyle() == style] for style in ("-", ":"))
    for one, other in zip(first, last, strict=True):
        assert (np.asarray(one.get_xdata())[-1], np.asarray(other.get_xdata())[0]) == (10, 11)
        assert str(other.get_label()).startswith("_")  # a row stands once in the legend


def test_weights_are_shown_for_the_rows_that_have_them(findings: Findings, made: Report) -> None:
    figure = weights(findings, made.students[0])
    assert figure is not None
    assert [axis.get_title(loc="left").split("\n")[0] for axis in figure.axes] == ["A5", "A6", "A7", "A14"]


def test_weights_that_are_all_the_same_are_drawn_too(findings: Findings, made: Report, tmp_path: Path) -> None:
    """The plain mean of three: a shape without width."""
    plain = np.full((50, 3), 1 / 3, dtype=np.float32)
    runs = tuple(replace(run, weight_sample=plain) if run.weight_sample is not None else run for run in findings.runs)
    figure = weights(replace(findings, runs=runs), made.students[0])
    assert figure is not None
    png(figure, tmp_path / "plain.png")


def test_groups_show_every_group_and_how_many_users_it_has(made: Report) -> None:
    figure = group_gains(made, made.students[0], "unmasked")
    assert figure is not None
    labels = [label.get_text() for axis in figure.axes for label in axis.get_xticklabels()]
    wanted = {f"{one.group}\n{one.users:,} users" for one in made.students[0].groups}
    assert set(labels) == wanted


def test_bars_of_teachers_are_the_shares(made: Report) -> None:
    figure = teachers(made, "masked")
    found = next(one for one in made.complementarity if one.protocol == "masked")
    assert figure is not None
    assert f"{found.union:.1%}" in texts(figure)
    bars = [bar.get_width() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert bars == [*found.teachers.values(), found.ensemble, found.union]


def test_cost_names_every_student_once(made: Report) -> None:
    figure = cost(made, "unmasked")
    assert figure is not None
    legend = texts(figure)
    assert sum("sasrec, 382,000 parameters" in one for one in legend) == 1
    assert sum("gru4rec, 290,000 parameters" in one for one in legend) == 1


def test_every_plot_becomes_a_picture_and_an_svg_of_its_own(findings: Findings, made: Report, tmp_path: Path) -> None:
    plots = list(every(findings, made))
    assert len({plot.name for plot in plots}) == len(plots) == 10
    for plot in plots:
        png(plot.figure, tmp_path / f"{plot.name}.png")
        assert (tmp_path / f"{plot.name}.png").read_bytes().startswith(b"\x89PNG")
        svg = inline_svg(plot.figure, plot.name)
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own
        assert INK not in svg  # it is the page's text colour
        assert plot.reading.how.endswith(".")


def test_equal_findings_give_equal_files(findings: Findings, made: Report) -> None:
    first, again = (next(iter(student_plots(findings, made))) for _ in range(2))
    assert inline_svg(first.figure, "x") == inline_svg(again.figure, "x")
    assert inline_svg(first.figure, "x") != inline_svg(first.figure, "y")  # ids of two plots on a page do not collide


def test_the_highlight_follows_the_page(made: Report) -> None:
    figure = forest(made, made.students[0], "unmasked")
    assert figure is not None
    svg = inline_svg(figure, "x")
    assert f"var(--blue, {BLUE})" in svg
    assert "currentColor" in svg


def test_a_dollar_sign_is_no_formula(findings: Findings, tmp_path: Path) -> None:
    found = report(replace(findings, dataset="cost $x^{2$ & <b>"), QUICK)
    for plot in study_plots(found):
        png(plot.figure, tmp_path / "dollar.png")


def test_an_unfinished_study_has_the_plots_that_it_can_have(unfinished: list[Findings], tmp_path: Path) -> None:
    counts = []
    for findings in unfinished:
        found = report(findings, QUICK)
        plots = list(every(findings, found))
        for plot in plots:
            png(plot.figure, tmp_path / "one.png")
        counts.append({plot.name.split("-")[0] for plot in plots})
    assert counts[0] == {"curves", "weights", "teachers", "cost"}  # A7 without A0: nothing to gain over
    assert counts[4] == {"teachers"}  # no run at all
    assert counts[5] == {"gains", "groups", "cost"}  # no curve, no weights, no reference


@pytest.mark.parametrize(
    ("value", "text"), [(0.01, ".01"), (-0.005, "−.005"), (0, "0"), (0.00001, "0"), (1, "1"), (10, "10")]
)
def test_numbers_on_axes(value: float, text: str) -> None:
    assert short(value) == text
