"""The console's page in the words of its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from playwright.sync_api import Locator, Page, expect

Scheme = Literal["light", "dark"]
Open = Callable[..., Page]


def cards(page: Page | Locator) -> Locator:
    return page.locator(".list:visible .card")


def column(page: Page, name: str) -> Locator:
    return page.get_by_label(f"List {name}", exact=True)


def choose(page: Page, user: str) -> None:
    page.get_by_label("User id").fill(user)
    page.get_by_role("button", name="Recommend").click()
    expect(page.locator("#for")).to_have_text(user)
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")


def ids(column: Page | Locator) -> list[str]:
    return [card.get_attribute("data-id") or "" for card in cards(column).all()]
