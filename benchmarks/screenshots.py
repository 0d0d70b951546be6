"""Pictures of the console for the documentation, taken from a running service by a real browser.

    python -m benchmarks.screenshots

Without a bundle it is the tests' tiny one with its drawn covers: sixty invented books, on which no model was trained.
The histories of the interactions are stored in an embedded Redis that ends with the command; nobody else's history is
touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.service.covers import with_covers

DATA = Path("tests/service/data")
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
START_SECONDS = 120

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    width: int
    height: int
    arrange: Callable[[Page], None]
    """What is done on the page of the user before."""
    scheme: Literal["light", "dark"] = "light"


def after_a_click(page: Page) -> None:
    """The list has changed, and says where."""
    page.locator(".list .card").nth(1).click()
    expect(page.locator("#notice")).to_contain_text("Added")


def filtered(page: Page) -> None:
    """The settings in use."""
    page.locator("[name=diversity]").first.fill("0.4")
    chips = page.locator("[data-facet=categories] .chip")
    if chips.count() > 4:
        chips.nth(2).click()
        chips.nth(4).click()
        chips.nth(1).dblclick()  # once: only these; twice: none of them
    page.mouse.move(0, 0)


def compared(page: Page) -> None:
    """The same user with and without diversity."""
    page.get_by_label("Compare two lists").check()
    second = page.get_by_label("List B", exact=True)
    second.locator("[name=diversity]").fill("0.6")
    expect(page.locator("#difference")).to_contain_text("B shares")
    for summary in page.locator(".column:visible summary").all():
        summary.click()


def folded(page: Page) -> None:
    """As it comes."""
    expect(page.locator(".list .card").first).to_be_visible()


def pictured(page: Page) -> None:
    """Many cards."""
    page.locator(".column:visible summary").click()


DRAWN = """[...document.querySelectorAll('.pictured')].every(box => {
  const { left, top, width, height } = box.getBoundingClientRect();
  const is_seen = box.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  return !is_seen || box.querySelector('img').classList.contains('drawn');
})"""
"""Whether each picture of an item that can be seen is there."""
SHOTS = (
    Shot("console", 1280, 960, after_a_click),
    Shot("console-dark", 1280, 960, filtered, "dark"),
    Shot("console-compare", 1280, 960, compared),
    Shot("console-phone", 360, 1100, folded),
    Shot("console-pictures", 1280, 860, pictured),
)


@app.command()
def take(
    out: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("docs/img"),
    bundle: Annotated[Path | None, typer.Option(help="What is served; default: the tests' bundle.")] = None,
    interactions: Annotated[Path, typer.Option(help="Whose histories are stored.")] = DATA / "interactions.csv.gz",
    user: Annotated[str, typer.Option(help="Whose page it is.")] = "ada",
    only: Annotated[list[str] | None, typer.Option(help="Names of pictures; default: all.")] = None,
) -> None:
    """Write the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(bundle or with_covers(DATA / "tiny_bundle", Path(folder) / "bundle"), interactions) as address,
        sync_playwright() as playwright,
    ):
        warm(address, user)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for shot in SHOTS:
            if not only or shot.name in only:
                typer.echo(picture(browser, address, user, shot, out))
        browser.close()


@contextmanager
def served(bundle: Path, interactions: Path) -> Iterator[str]:
    """A service of its own, as `python -m service serve` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"REC_SEED_INTERACTIONS": str(interactions), "REC_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "service", "serve", str(bundle), "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


def warm(address: str, user: str) -> None:
    """So that the times on the pictures are not those of a first time."""
    for _ in range(20):
        httpx.post(f"{address}/recommend", json={"user_id": user, "explain": True, "diversity": 0.5}).raise_for_status()


def picture(browser: Browser, address: str, user: str, shot: Shot, out: Path) -> Path:
    """Take one; the path of the file."""
    page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme, reduced_motion="reduce"
    )
    page.goto(address)
    page.get_by_label("User id").fill(user)
    page.get_by_role("button", name="Recommend").click()
    expect(page.locator("#for")).to_have_text(user)
    page.wait_for_load_state("networkidle")
    shot.arrange(page)
    page.wait_for_load_state("networkidle")
    while not page.evaluate(DRAWN):
        page.wait_for_timeout(50)
    path = out / f"{shot.name}.png"
    page.screenshot(path=path)
    page.close()
    return path


if __name__ == "__main__":
    app()
