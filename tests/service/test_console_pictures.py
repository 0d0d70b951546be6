"""Pictures in the console, in a real browser: drawn where there are any, and without them the page is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from service.bundle import ModelBundle
from service.keys import hash_of, new_key
from service.settings import Settings
from tests.service.console_page import Open, Scheme, cards, choose, column
from tests.service.test_console_access import CONTRASTS

pytestmark = pytest.mark.browser
BOX = "one => { const { width, height } = one.getBoundingClientRect(); return [width, height]; }"


@pytest.fixture(scope="module")
def pictured_settings(seeded_settings: Settings, pictured_bundle: Path) -> Settings:
    return seeded_settings.model_copy(update={"bundle": pictured_bundle})


def everything(page: Page) -> None:
    """All sixty books in one list, seen ones too."""
    column(page, "A").get_by_label("Leave out what was seen").uncheck()
    column(page, "A").get_by_label("How many").fill("60")
    column(page, "A").get_by_label("How many").press("Enter")
    expect(cards(page)).to_have_count(60)


def drawn(image: Locator) -> None:
    """There, seen, and made of pixels."""
    image.scroll_into_view_if_needed()
    expect(image).to_be_visible()
    assert image.evaluate("one => one.complete && one.naturalWidth") > 0


def test_a_picture_is_drawn_and_an_item_without_one_looks_as_before(
    open_console: Open, pictured_settings: Settings, pictured_bundle: Path
) -> None:
    bundle = ModelBundle.read(pictured_bundle)
    page = open_console(pictured_settings)
    choose(page, "ada")
    everything(page)
    assert bundle.images is not None
    for index in (1, 2, 3, 4, 7, 23, 41, 60):  # upright, square, wide; ids that need escaping
        card = page.locator(f'.list .card[data-id="{bundle.catalog.item_id(index)}"]')
        image = card.locator("img")
        if bundle.images.has(index):
            drawn(image)
            expect(image).to_have_attribute("alt", bundle.card(index).title)
        else:
            expect(image).to_have_count(0)
            expect(card.locator(".tile")).to_have_text("FD")
            assert card.locator(".tile").evaluate(BOX) == pytest.approx([46.4, 46.4], abs=0.1)  # 2.9rem, as ever


def test_the_place_in_the_list_stands_on_the_picture(open_console: Open, pictured_settings: Settings) -> None:
    page = open_console(pictured_settings)
    choose(page, "ada")
    card = page.locator(".list .card", has=page.locator("img")).first
    drawn(card.locator("img"))
    on_top = """rank => {
      const box = rank.getBoundingClientRect();
      return document.elementFromPoint(box.right - 4, box.top + box.height / 2) === rank;
    }"""
    assert card.locator(".rank").evaluate(on_top)


def test_history_session_and_similar_items_have_them_too(open_console: Open, pictured_settings: Settings) -> None:
    page = open_console(pictured_settings)
    choose(page, "grace")
    drawn(page.locator("#history img").first)
    page.get_by_label("this session").check()
    page.locator(".list .card", has=page.locator("img")).first.click()
    drawn(page.locator("#session img").first)
    page.locator("#history button").first.click()
    drawn(page.locator("#similar img").first)


def test_nothing_jumps_when_one_comes_late_or_never(open_console: Open, pictured_settings: Settings) -> None:
    page = open_console(pictured_settings)
    page.route("**/image?*", lambda route: route.abort())
    page.reload()  # the user whom the page chose by itself may have had pictures, which are kept
    choose(page, "mika")
    tiles = page.locator(".list .pictured")
    expect(tiles.first).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(tiles.locator("img").locator("visible=true")).to_have_count(0)
    letters = tiles.first.locator("span")
    expect(letters).to_be_visible()
    before = page.locator(".list .card, #history button").evaluate_all(f"all => all.map({BOX})")
    page.unroute("**/image?*")
    page.get_by_label("User id").press("Enter")  # the same list again asks again
    expect(tiles.locator("img").first).to_be_visible()
    assert page.locator(".list .card, #history button").evaluate_all(f"all => all.map({BOX})") == before
    expect(page.locator("#notice")).to_be_hidden()


def test_one_that_is_far_away_is_not_asked_for_and_none_is_asked_for_twice(
    open_console: Open, pictured_settings: Settings
) -> None:
    page = open_console(pictured_settings)
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/image?" in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.reload()  # what the page had already asked for by itself would not be noted
    choose(page, "noor")
    everything(page)
    page.wait_for_load_state("networkidle")
    assert len(asked) == len(set(asked)) < 48
    last = page.locator(".list img").last
    drawn(last)
    number = len(asked)
    choose(page, "noor")
    drawn(page.locator(".list img").last)
    assert len(set(asked)) == len(asked) >= number


def test_where_keys_are_needed_pictures_are_asked_for_with_it(
    open_console: Open, settings: Settings, pictured_bundle: Path
) -> None:
    key = new_key()
    update = {"bundle": pictured_bundle, "api_keys_sha256": f"me={hash_of(key)}"}
    page = open_console(settings.model_copy(update=update))
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_label("API key", exact=True).press("Enter")
    choose(page, "keyholder")
    drawn(page.locator(".list img").first)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_and_in_the_dark(open_console: Open, pictured_settings: Settings, scheme: Scheme) -> None:
    page = open_console(pictured_settings, width=360, scheme=scheme)
    choose(page, "ada")
    drawn(page.locator(".list img").first)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator(".list .pictured").first.evaluate(BOX)
    assert box[0] / box[1] == pytest.approx(2 / 3, abs=0.01)
    texts = ".title, .about, .because, .score, .rank, .tile"
    found = page.locator(texts).locator("visible=true").evaluate_all(CONTRASTS)
    assert len(found) > 50
    assert min(found)[0] >= 4.5, min(found)
