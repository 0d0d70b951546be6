"""The console for those who have no mouse, a small screen or a dark room, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.service.console_page import Open, Scheme, cards, choose

pytestmark = pytest.mark.browser


def test_the_keyboard_is_enough(console: Page) -> None:
    """From the address bar: a user, a click, and the focus stays in the list."""
    press = console.keyboard.press
    press("Tab")
    expect(console.get_by_role("link", name="Skip to the recommendations")).to_be_focused()
    console.get_by_label("User id").focus()
    press("Control+A")
    console.keyboard.type("sofía")
    press("Enter")
    expect(console.locator("#for")).to_have_text("sofía")
    stored = console.locator("#history li")
    expect(console.locator("body")).not_to_have_attribute("aria-busy", "true")
    before = stored.count()
    console.locator("#to-history").focus()
    for _ in range(60):
        press("Tab")
        if console.evaluate("document.activeElement.matches('.card')"):
            break
    assert console.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press("Tab")
    title = cards(console).nth(1).locator(".title").text_content() or ""
    expect(cards(console).nth(1)).to_be_focused()
    press("Enter")
    expect(stored).to_have_count(before + 1)
    expect(stored.first).to_contain_text(title)
    expect(cards(console).nth(1)).to_be_focused()


def test_nothing_overflows_a_phone_and_every_field_has_a_label(open_console: Open) -> None:
    page = open_console(width=360)
    choose(page, "x" * 256)
    choose(page, "ada")
    page.get_by_label("Compare two lists").check()
    expect(page.locator("#difference")).to_contain_text("B shares")
    page.locator(".column summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    fields = page.locator("input:visible, select:visible")
    assert fields.evaluate_all("all => all.filter(one => !one.labels.length && !one.ariaLabel).length") == 0


CONTRASTS = """all => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const light = colour => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  return all.map(one => {
    let ground = one;
    while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
    const colours = [getComputedStyle(one).color, getComputedStyle(ground).backgroundColor];
    const [low, high] = colours.map(light).sort((a, b) => a - b);
    return [(high + .05) / (low + .05), one.className || one.tagName];
  });
}"""
"""WCAG 2.2's contrast ratio of the text of each element with what it stands on."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(open_console: Open, scheme: Scheme) -> None:
    page = open_console(scheme=scheme)
    choose(page, "ada")
    cards(page).first.click()
    expect(page.locator(".list .new .title").first).to_be_visible()
    texts = (
        "h1, h2, #hint, dd, .badge, .title, .about, .because, .change, .score, .rank, .tile, .chip, .legend li, button"
    )
    found = page.locator(texts).locator("visible=true").evaluate_all(CONTRASTS)
    assert len(found) > 100
    assert min(found)[0] >= 4.5, min(found)
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(lightness) < 50) == (scheme == "dark")
