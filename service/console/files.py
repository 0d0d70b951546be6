"""The files of the console's page: it is these, and nothing is built or loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "index.html"
FILES = frozenset(
    {
        "base.css", "console.css", "main.js", "api.js", "cards.js", "column.js", "controls.js", "dom.js", "health.js",
        "item_card.js", "pictures.js", "similar.js", "timings.js", "user.js",
    }
)  # fmt: skip
"""What the page loads, by name. They hold no data, so whoever reaches the port may read them."""
