"""The console in a real browser: what a person would click or type, and what must never run."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from service.bundle import ModelBundle
from service.console.files import FILES, STATIC
from service.keys import hash_of, new_key
from service.settings import Settings
from tests.service.console_page import Open, cards, choose, column, ids
from tests.service.versions import write_version

pytestmark = pytest.mark.browser


def test_a_click_becomes_history_and_changes_the_list(console: Page, interactions: Path) -> None:
    choose(console, "ada")
    expect(console.locator(".badge.model")).to_be_visible()
    rows = gzip.decompress(interactions.read_bytes()).decode().splitlines()
    before = sum(row.startswith("ada,") for row in rows)
    expect(console.locator("#history li")).to_have_count(before)
    expect(cards(console).first.locator(".because")).to_contain_text("because of")
    title = cards(console).first.locator(".title").text_content() or ""
    cards(console).first.click()
    expect(console.locator("#history li")).to_have_count(before + 1)
    expect(console.locator("#history li").first).to_contain_text(title)
    expect(console.locator(".list .title", has_text=title)).to_have_count(0)
    expect(console.locator(".list .change").first).to_be_visible()
    expect(console.locator("#notice")).to_contain_text(title)


@pytest.mark.parametrize("typed", ["mika", ""])
def test_what_is_typed_or_about_to_be_while_the_page_opens_is_not_written_over(console: Page, typed: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    console.route("**/console/users", hold)  # the names come late
    console.reload()
    console.get_by_label("User id").fill(typed)  # "": the field is only entered, and its empty text selected
    while not held:
        console.wait_for_timeout(20)
    with console.expect_response("**/console/users"):
        held.pop().continue_()
    expect(console.locator("#sample button").first).to_be_visible()
    expect(console.locator("body")).not_to_have_attribute("aria-busy", "true")
    expect(console.get_by_label("User id")).to_have_value(typed)
    expect(console.locator("#for")).to_have_text("…")
    console.unroute("**/console/users")
    choose(console, "mika")


def test_an_item_of_the_session_counts_and_is_not_stored(console: Page) -> None:
    choose(console, "mika")
    stored = console.locator("#history li").count()
    before = ids(console)
    console.get_by_label("this session").check()
    cards(console).first.click()
    expect(console.locator("#session li")).to_have_count(1)
    expect(console.locator(f'.card[data-id="{before[0]}"]')).to_have_count(0)
    expect(console.locator("#history li")).to_have_count(stored)
    console.get_by_role("button", name="out of the session").click()
    expect(cards(console).first).to_have_attribute("data-id", before[0])
    assert ids(console) == before


def test_a_history_is_erased_only_when_confirmed_and_is_then_a_cold_start(console: Page) -> None:
    choose(console, "grace")
    stored = console.locator("#history li").count()
    console.get_by_role("button", name="Erase…").click()
    console.get_by_role("button", name="Keep it").click()
    expect(console.locator("#history li")).to_have_count(stored)
    console.get_by_role("button", name="Erase…").click()
    console.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(console.locator("#history")).to_contain_text("Nothing is stored")
    expect(console.locator(".badge.popular")).to_be_visible()
    expect(console.get_by_role("button", name="Erase…")).to_be_disabled()


def test_settings_are_those_of_the_list(console: Page, bundle: ModelBundle) -> None:
    choose(console, "ada")
    console.get_by_role("button", name=re.compile("^Crime, 10 items")).click()
    harbour = console.get_by_role("button", name=re.compile("^Harbour Street, 10 items"))
    expect(console.locator(".settings .summary").first).to_contain_text("1 filter")
    shelves = {bundle.card(bundle.catalog.index(item) or 0).categories[-1] for item in ids(console)}
    assert shelves == {"Crime"}
    harbour.dblclick()  # once: only these; twice: none of them. All crime is of this brand.
    expect(harbour).to_have_accessible_name("Harbour Street, 10 items: left out")
    expect(console.locator(".unknown").first).to_contain_text("Nothing is left")
    console.get_by_role("button", name="Reset").click()
    expect(cards(console)).to_have_count(12)
    column(console, "A").get_by_label("Diversity").fill("0.5")
    expect(console.locator(".legend").first).to_contain_text("diversify")
    expect(console.locator(".bar").first).to_have_attribute("aria-label", re.compile(r"in the service [\d.]+ ms"))


def test_two_models_side_by_side(open_console: Open, seeded_settings: Settings, tmp_path: Path) -> None:
    versions = [write_version(seeded_settings.bundle, tmp_path / "models" / f"b{k}", k) for k in (0, 1)]
    arms = f"control=active:100,new={versions[0]}:0"
    page = open_console(seeded_settings.model_copy(update={"bundle": tmp_path / "models", "variants": arms}))
    choose(page, "noor")
    expect(page.locator(".badge.variant")).to_have_text("variant control")
    page.get_by_label("Compare two lists").check()
    first, second = column(page, "A"), column(page, "B")
    expect(page.locator("#difference")).to_contain_text("B shares 12 of its 12 items with A; 0 of them")
    second.get_by_label("Model").select_option(label=f"variant new: {versions[0]}")
    expect(second.locator(".badge.version")).to_have_text(versions[0])
    a, b = ids(first), ids(second)
    shared = [item for item in b if item in a]
    moved = sum(a.index(item) != b.index(item) for item in shared)
    told = (
        f"B shares {len(shared)} of its 12 items with A; {moved} of them at another place, {12 - len(shared)} are new"
    )
    expect(page.locator("#difference")).to_contain_text(told)
    expect(second.locator(".change", has_text="new")).to_have_count(12 - len(shared))
    expect(first.locator(".change", has_text="only here")).to_have_count(12 - len(shared))


def test_titles_and_ids_are_text_and_never_html(console: Page) -> None:
    user = "<img src=x onerror=document.body.remove()>"
    choose(console, user)
    column(console, "A").get_by_label("How many").fill("60")
    column(console, "A").get_by_label("How many").press("Enter")
    expect(cards(console)).to_have_count(60)
    expect(console.locator(".list .title", has_text="Butter <b>Boldly</b>")).to_have_count(1)
    cards(console).filter(has_text="Butter").click()
    expect(console.locator("#notice")).to_contain_text(user)
    expect(console.locator("img, .list b, #history b")).to_have_count(0)


def test_users_are_offered_and_can_be_picked(console: Page) -> None:
    chips = console.locator("#sample button")
    expect(chips).not_to_have_count(0)
    name = chips.nth(3).text_content() or ""
    chips.nth(3).click()
    expect(console.get_by_label("User id")).to_have_value(name)
    expect(chips.nth(3)).to_have_attribute("aria-pressed", "true")


def test_failures_are_told_and_tried_again(console: Page) -> None:
    console.route("**/recommend", lambda route: route.abort())
    console.get_by_label("User id").fill("mika")
    console.get_by_role("button", name="Recommend").click()
    notice = console.locator("#notice")
    expect(notice).to_contain_text("cannot be reached")
    expect(notice).to_have_class("error")
    expect(cards(console)).to_have_count(0)  # no list of the user before under the name of this one
    console.unroute("**/recommend")
    console.get_by_role("button", name="Try again").click()
    expect(cards(console)).to_have_count(12)
    expect(notice).to_be_hidden()


def test_without_titles_there_is_still_a_list_and_an_error_goes_when_it_is_over(console: Page) -> None:
    count = column(console, "A").get_by_label("How many")
    console.route("**/items?*", lambda route: route.abort())
    count.fill("60")
    count.press("Enter")
    expect(cards(console).filter(has_text="book-")).not_to_have_count(0)
    expect(console.locator("#notice")).to_contain_text("cannot be reached")
    console.unroute("**/items?*")
    count.fill("59")
    count.press("Enter")
    expect(cards(console).filter(has_text="book-")).to_have_count(0)
    expect(console.locator("#notice")).to_be_hidden()


def test_a_degraded_answer_and_an_event_that_is_lost_say_so(
    open_console: Open, settings: Settings, tmp_path: Path
) -> None:
    page = open_console(settings.model_copy(update={"redis_url": f"unix://{tmp_path / 'none.sock'}"}))
    expect(page.locator("#redis")).to_have_text("down")
    choose(page, "ada")
    expect(page.locator(".badge.degraded")).to_be_visible()
    expect(page.locator("#history")).to_contain_text("cannot be read")
    expect(cards(page)).to_have_count(12)
    cards(page).first.click()
    expect(page.locator("#notice")).to_contain_text("nothing was read or stored")
    expect(page.locator("#notice")).to_contain_text("503 history_unavailable")


def test_where_keys_are_needed_the_page_asks_for_one_and_keeps_it(open_console: Open, settings: Settings) -> None:
    key = new_key()
    page = open_console(settings.model_copy(update={"api_keys_sha256": f"me={hash_of(key)}"}))
    field, dialog = page.get_by_label("API key", exact=True), page.get_by_role("dialog")
    field.fill("nobody's")
    field.press("Enter")
    expect(dialog).to_contain_text("not one of its keys")
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#notice")).to_contain_text("asks for an API key")
    page.get_by_role("button", name="Try again").click()
    field.fill(key)
    field.press("Enter")
    choose(page, "keyholder")
    expect(cards(page)).to_have_count(12)
    page.reload()
    choose(page, "keyholder")
    expect(cards(page)).to_have_count(12)
    expect(dialog).to_have_count(0)


def test_who_asks_too_often_is_told_when_to_come_back(open_console: Open, settings: Settings) -> None:
    key = new_key()
    update = {"api_keys_sha256": f"me={hash_of(key)}", "rate_per_second": 0.01, "rate_burst": 1}
    page = open_console(settings.model_copy(update=update))
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_label("API key", exact=True).press("Enter")
    expect(page.locator("#notice")).to_contain_text("This key asks too often")
    expect(page.locator("#notice")).to_contain_text(re.compile(r"Worth trying again in \d+ s\. \(429 rate_limited"))


def test_nothing_comes_from_another_host(client: httpx.Client) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert {path.name for path in STATIC.iterdir()} == FILES | {"index.html"}
    parts = {name: client.get(f"/console/{name}").raise_for_status().text for name in FILES} | {"": page.text}
    for name, part in parts.items():
        assert not re.search(r"https?://(?!www\.w3\.org)", part), name
        assert "innerHTML" not in part, name
    assert client.get("/console/pages.py").status_code == 404
