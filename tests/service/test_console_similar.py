"""What is like an item of the history, in a real browser: by mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from service.bundle import ModelBundle
from service.settings import Settings
from tests.service.console_page import Open, Scheme, choose
from tests.service.test_console_access import CONTRASTS
from tests.service.versions import write_version

pytestmark = pytest.mark.browser


def past(page: Page) -> Locator:
    """The items of the history, newest first."""
    return page.locator("#history button")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name=re.compile("^Like "))


def shown(page: Page) -> list[str]:
    """When they are all there: the dialog opens before its cards have come."""
    expect(dialog(page).locator(".card")).to_have_count(12)
    return [card.get_attribute("data-id") or "" for card in dialog(page).locator(".card").all()]


def like(client: httpx.Client, item: str, **whose: str) -> list[str]:
    answer = client.get(f"/items/{item}/similar", params={"n": "12", **whose}).raise_for_status().json()
    return [one["item_id"] for one in answer["items"]]


def test_a_click_shows_what_the_model_holds_to_be_like_it(
    console: Page, client: httpx.Client, bundle: ModelBundle
) -> None:
    choose(console, "ada")
    item = past(console).nth(1).get_attribute("data-id") or ""
    title = bundle.card(bundle.catalog.index(item) or 0).title
    stored = past(console).count()
    past(console).nth(1).click()
    expect(dialog(console)).to_have_accessible_name(f"Like “{title}”")
    expect(dialog(console).locator(".badge.version")).to_have_text(bundle.manifest.model_version)
    assert shown(console) == like(client, item, user_id="ada")
    named = bundle.card(bundle.catalog.index(shown(console)[0]) or 0).title
    expect(dialog(console).locator(".card").first).to_contain_text(named)
    console.get_by_role("button", name="Close").click()
    expect(dialog(console)).to_have_count(0)
    expect(past(console)).to_have_count(stored)


def test_a_similar_item_can_be_chosen_like_a_recommended_one(console: Page) -> None:
    choose(console, "mika")
    stored = past(console).count()
    past(console).first.click()
    chosen = shown(console)[2]
    dialog(console).locator(".card").nth(2).click()
    expect(dialog(console)).to_have_count(0)
    expect(past(console)).to_have_count(stored + 1)
    expect(past(console).first).to_have_attribute("data-id", chosen)
    expect(console.locator("#notice")).to_contain_text("Added")


def test_an_item_of_the_session_opens_too(console: Page) -> None:
    choose(console, "noor")
    console.get_by_label("this session").check()
    console.locator(".list:visible .card").first.click()
    console.locator("#session .open").click()
    expect(dialog(console).locator(".card")).to_have_count(12)


def test_the_keyboard_is_enough_and_the_focus_comes_back(console: Page) -> None:
    choose(console, "ada")
    press = console.keyboard.press
    console.get_by_role("button", name="Erase…").focus()
    press("Tab")
    expect(past(console).first).to_be_focused()
    assert console.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press("Tab")
    expect(past(console).nth(1)).to_have_accessible_name(re.compile("show what is like it$"))
    press("Enter")
    expect(console.get_by_role("button", name="Close")).to_be_focused()
    press("Escape")
    expect(dialog(console)).to_have_count(0)
    expect(past(console).nth(1)).to_be_focused()
    press("Space")
    expect(dialog(console)).to_be_visible()
    stored = past(console).count()
    press("Tab")
    expect(dialog(console).locator(".card").first).to_be_focused()
    press("Enter")
    expect(past(console)).to_have_count(stored + 1)
    expect(past(console).nth(1)).to_be_focused()


ESCAPE_AND_AT_ONCE = """(item) => {
  const dialog = document.getElementById("similar-dialog");
  dialog.dispatchEvent(new Event("cancel"));
  dialog.close();
  item.click();
}"""
"""A browser says that a dialog is closed in a task of its own: here the next item is chosen before that."""


def test_an_item_that_is_chosen_before_the_browser_says_that_the_last_one_is_closed_is_shown(console: Page) -> None:
    choose(console, "ada")
    past(console).nth(1).click()
    first = shown(console)
    past(console).first.evaluate(ESCAPE_AND_AT_ONCE)
    expect(dialog(console).locator(".card").first).not_to_have_attribute("data-id", first[0])
    assert len(shown(console)) == len(first)


def test_it_is_the_model_of_the_users_variant_or_the_one_that_was_chosen(
    open_console: Open, seeded_settings: Settings, tmp_path: Path
) -> None:
    versions = [write_version(seeded_settings.bundle, tmp_path / "models" / f"b{k}", k) for k in (0, 1)]
    arms = f"all={versions[0]}:100,none=active:0"  # the newest, which nobody gets, is active
    page = open_console(seeded_settings.model_copy(update={"bundle": tmp_path / "models", "variants": arms}))
    choose(page, "ada")
    item = past(page).first.get_attribute("data-id") or ""
    past(page).first.click()
    expect(dialog(page).locator(".badge.variant")).to_have_text("variant all")
    expect(dialog(page).locator(".badge.version")).to_have_text(versions[0])
    with httpx.Client(base_url=page.url) as client:
        assert shown(page) == like(client, item, model=versions[0])
        page.keyboard.press("Escape")
        page.get_by_label("Model").first.select_option(value=versions[1])
        expect(page.locator("#columns .badge.version").first).to_have_text(versions[1])
        past(page).first.click()
        expect(dialog(page).locator(".badge.version")).to_have_text(versions[1])
        expect(dialog(page).locator(".badge.variant")).to_have_count(0)
        assert shown(page) == like(client, item, model=versions[1])


def test_a_failure_is_told_and_tried_again(console: Page) -> None:
    choose(console, "ada")
    console.route("**/similar?*", lambda route: route.abort())
    past(console).first.click()
    expect(console.locator("#notice")).to_contain_text("cannot be reached")
    expect(dialog(console)).to_have_count(0)
    console.unroute("**/similar?*")
    console.get_by_role("button", name="Try again").click()
    expect(dialog(console).locator(".card")).to_have_count(12)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_can_be_reached_and_read(open_console: Open, scheme: Scheme) -> None:
    page = open_console(width=360, scheme=scheme)
    choose(page, "ada")
    sizes = past(page).evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(sizes) >= 44  # a finger's width
    texts = page.locator("#history .title, #history .about, #history .tile").locator("visible=true")
    past(page).first.click()
    expect(dialog(page).locator(".card")).to_have_count(12)
    box = dialog(page).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] + box["height"] <= 860
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert dialog(page).evaluate("one => one.scrollWidth <= one.clientWidth")
    inside = dialog(page).locator("h2, p, .badge, .title, .about, .score, .rank, .tile, button").locator("visible=true")
    found = [*texts.evaluate_all(CONTRASTS), *inside.evaluate_all(CONTRASTS)]
    assert len(found) > 50
    assert min(found)[0] >= 4.5, min(found)
    dialog(page).locator(".card").last.scroll_into_view_if_needed()
    expect(dialog(page).locator(".card").last).to_be_in_viewport()
