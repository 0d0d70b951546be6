"""The console in a real browser: what a person would click, and what must never run."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis
from service.interactions_file import InteractionsFile
from service.keys import hash_of, new_key
from service.seed_store import SeedLimits
from service.seeding import seed
from service.settings import Settings

pytestmark = pytest.mark.browser
Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def console(
    browser: Browser, serve: Serve, settings: Settings, bundle: ModelBundle, interactions: Path
) -> Iterator[Page]:
    """The page of a freshly seeded service; the test fails on any script error or blocked content."""
    complaints: list[str] = []
    with embedded_redis(16) as url:
        seed(InteractionsFile(interactions), bundle.catalog, url, SeedLimits(100, 3600), lambda _: None)
        client = serve(settings.model_copy(update={"redis_url": url}))
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Security Policy" in line.text else None)
        page.goto(str(client.base_url))
        expect(page.locator("#list li")).to_have_count(12)
        yield page
        page.close()
    assert complaints == []


def choose(page: Page, user: str) -> None:
    page.get_by_label("User id").fill(user)
    page.get_by_role("button", name="Recommend").click()


def test_a_click_becomes_history_and_changes_the_list(console: Page, interactions: Path) -> None:
    choose(console, "ada")
    expect(console.locator("#source")).to_have_text("model")
    rows = gzip.decompress(interactions.read_bytes()).decode().splitlines()
    before = sum(row.startswith("ada,") for row in rows)
    expect(console.locator("#history li")).to_have_count(before)  # those of the user before are on the page until then
    first = console.locator("#list button").first
    title = first.locator(".title").text_content() or ""
    first.click()
    expect(console.locator("#history li")).to_have_count(before + 1)
    expect(console.locator("#history li").first).to_contain_text(title)
    expect(console.locator("#list .title", has_text=title)).to_have_count(0)
    expect(console.locator("#list .change").first).to_be_visible()
    expect(console.locator("#notice")).to_contain_text(title)
    save_to = os.environ.get("PRMKD_SCREENSHOT")
    if save_to:
        console.wait_for_timeout(700)  # the arrival of new items is animated
        console.screenshot(path=save_to)


def test_an_erased_history_is_a_cold_start(console: Page) -> None:
    choose(console, "grace")
    console.get_by_role("button", name="Erase history").click()
    expect(console.locator("#history")).to_contain_text("Nothing is stored")
    expect(console.locator("#source")).to_have_text("popular")
    expect(console.get_by_role("button", name="Erase history")).to_be_disabled()


def test_titles_and_ids_are_text_and_never_html(console: Page) -> None:
    user = "<img src=x onerror=document.body.remove()>"
    choose(console, user)
    console.get_by_label("How many").fill("60")
    choose(console, user)
    expect(console.locator("#list li")).to_have_count(60)
    expect(console.locator("#list .title", has_text="Butter <b>Boldly</b>")).to_have_count(1)
    console.locator("#list button", has_text="Butter").click()
    expect(console.locator("#notice")).to_contain_text(user)
    expect(console.locator("img, #list b, #history b")).to_have_count(0)


def test_users_are_offered_and_can_be_picked(console: Page) -> None:
    chips = console.locator("#sample button")
    expect(chips).not_to_have_count(0)
    name = chips.nth(3).text_content() or ""
    chips.nth(3).click()
    expect(console.get_by_label("User id")).to_have_value(name)
    expect(chips.nth(3)).to_have_attribute("aria-pressed", "true")


def test_failures_are_shown(console: Page) -> None:
    console.route("**/recommend", lambda route: route.abort())
    choose(console, quote("mika"))
    expect(console.locator("#notice")).to_contain_text("cannot be reached")
    expect(console.locator("#notice")).to_have_class("error")


def test_a_degraded_answer_says_so(browser: Browser, serve: Serve, settings: Settings, tmp_path: Path) -> None:
    client = serve(settings.model_copy(update={"redis_url": f"unix://{tmp_path / 'none.sock'}"}))
    page = browser.new_page()
    page.goto(str(client.base_url))
    choose(page, "ada")
    expect(page.locator("#degraded")).to_be_visible()
    expect(page.locator("#redis")).to_have_text("down")
    expect(page.locator("#list li")).to_have_count(12)
    page.close()


def test_nothing_comes_from_another_host(client: httpx.Client) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    parts = [page.text, client.get("/console/console.js").text, client.get("/console/console.css").text]
    assert not any(address in part for part in parts for address in ("https://", "http://") if "w3.org" not in part)
    assert "innerHTML" not in parts[1]


def test_where_keys_are_needed_the_page_asks_for_one_and_keeps_it(
    browser: Browser, serve: Serve, settings: Settings
) -> None:
    key, questions = new_key(), list[str]()
    client = serve(settings.model_copy(update={"api_keys_sha256": f"me={hash_of(key)}"}))
    page = browser.new_page()

    def reply(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.accept(key)

    page.on("dialog", reply)
    for _ in range(2):
        page.goto(str(client.base_url))
        choose(page, "keyholder")
        expect(page.locator("#list li")).to_have_count(12)
    assert questions == ["This service needs an API key:"]
    page.close()
