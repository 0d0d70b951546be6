import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from training.study.findings import Findings
from training.study.page import duration, mark, size, write_page
from training.study.report import Report, ReportConfig, report
from training.study.significance import BootstrapConfig

QUICK = ReportConfig(bootstrap=BootstrapConfig(resamples=400, seed=1))
HOSTILE = "</style><script>document.title='owned'</script>--><img src=x onerror=alert(1)>"
_VOID = {"meta", "img", "br", "link", "input", "hr"}


class Tags(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def parsed(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    assert tags.open == []
    return tags


@pytest.fixture(scope="module")
def written(findings: Findings, made: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(findings, made, tmp_path_factory.mktemp("page") / "deep")


def test_the_page_stands_alone(written: Path) -> None:
    tags = parsed(written)
    assert {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe", "object"} == set()
    for _, attributes in tags.seen:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert re.findall(r"url\((?!#)", written.read_text(encoding="utf-8")) == []


def test_links_inside_the_page_lead_somewhere(written: Path) -> None:
    tags = parsed(written)
    ids = {attributes.get("id") for _, attributes in tags.seen}
    links = {attributes["href"] for tag, attributes in tags.seen if tag == "a"}
    assert {f"#{one}" for one in ids} >= links
    assert len(links) == 4


def test_the_page_says_every_figure_of_the_report(written: Path, made: Report) -> None:
    said = " ".join("".join(parsed(written).said).split())
    for student in made.students:
        for row in student.rows:
            for protocol in row.metrics.values():
                for statistic in protocol.values():
                    assert f"{statistic.mean:.4f}"[1:] in said
    for verdict in made.verdicts:
        assert verdict.text in said
    assert all(one.teacher in said for one in made.knowledge)
    short = [one.teacher for one in made.knowledge if f"{one.teacher}cut short" in said]
    assert short == [one.teacher for one in made.knowledge if one.cut_short]
    assert "it may know less than it could" in said


def test_verdicts_come_before_all_else(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert text.index('id="verdicts"') < text.index("<svg") < text.index('id="method"')


def test_every_plot_is_a_file_too(written: Path) -> None:
    files = sorted(one.name for one in (written.parent / "plots").iterdir())
    assert len(files) == written.read_text(encoding="utf-8").count("<svg") == 10
    assert "gains-sasrec.png" in files


def test_names_are_text_and_never_code(findings: Findings, tmp_path: Path) -> None:
    runs = tuple(replace(run, meaning=HOSTILE) for run in findings.runs if run.student == "sasrec" and run.seed == 0)
    odd = replace(findings, dataset=HOSTILE, runs=runs, config={"note": HOSTILE})
    tags = parsed(write_page(odd, report(odd, QUICK), tmp_path))
    assert {tag for tag, _ in tags.seen} & {"script", "img"} == set()
    assert HOSTILE in "".join(tags.said)


def test_an_unfinished_study_has_a_page(unfinished: list[Findings], tmp_path: Path) -> None:
    for place, findings in enumerate(unfinished):
        path = write_page(findings, report(findings, QUICK), tmp_path / str(place))
        text = path.read_text(encoding="utf-8")
        parsed(path)
        assert ("No run is finished yet" in text) == (not findings.runs)


def test_bold_is_the_best_row_and_never_a_reference(written: Path, made: Report) -> None:
    """C6 is better than every row here; only rows compete."""
    text = written.read_text(encoding="utf-8")
    bold = set(re.findall(r"<b>(\.\d{4})</b>", text))
    best = {
        max(f"{row.metrics[protocol][metric].mean:.4f}"[1:] for row in student.rows if row.kind == "student")
        for student in made.students
        for protocol in ("unmasked", "masked")
        for metric in ("ndcg@10", "recall@10", "ndcg@50", "recall@50", "mrr")
    }
    assert bold == best


def test_stars_are_holm_s(made: Report) -> None:
    one = made.students[0].differences[0]
    assert [mark(one.model_copy(update={"holm_p": p})) for p in (0.009, 0.01, 0.049, 0.05, None)] == [
        "★★", "★", "★", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (40_000_000, "40.0 MB"), (5 * 10**12, "5000.0 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_a_browser_shows_it_without_network_errors_or_a_page_that_slides_sideways(
    browser: Browser, written: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab, asked, said = context.new_page(), list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda line: said.append(line.text))
    tab.goto(written.as_uri())
    assert asked == [written.as_uri()]
    assert said == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(19, 19, 24)") == (scheme == "dark")
    ink = tab.evaluate("getComputedStyle(document.querySelector('svg [style*=currentColor]')).fill")
    assert ink == tab.evaluate("getComputedStyle(document.body).color")
    context.close()
