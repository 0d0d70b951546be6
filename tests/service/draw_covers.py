"""Draw covers for the sixty invented books, `tests/service/data/item_images.*`, which some tests put into the bundle.

Run by hand where Pillow is installed: `PYTHONPATH=. python tests/service/draw_covers.py`. The service's tests read its
output, so that they need no Pillow.
"""

from __future__ import annotations

from collections.abc import Iterator
from colorsys import hls_to_rgb
from pathlib import Path

from PIL import Image, ImageDraw

from export.pictures import thumbnail
from service.bundle import ItemImages

DATA = Path(__file__).parent / "data"
SHELVES, ON_A_SHELF = 6, 10
SIZES = ((96, 144), (96, 144), (120, 120), (144, 96))
"""Most covers are upright, some square, some wide."""
BARE = 5
"""Every fifth book has none."""


def main() -> None:
    """Write them all."""
    ItemImages.write(DATA, covers())


def covers() -> Iterator[bytes]:
    """A WebP file for each book; empty for those without a cover."""
    for number in range(SHELVES * ON_A_SHELF):
        yield b"" if number % BARE == BARE - 1 else thumbnail(cover(*divmod(number, ON_A_SHELF)))


def cover(shelf: int, place: int) -> Image.Image:
    """Bands in the colour of the shelf, and one disc for each place on it."""
    width, height = SIZES[place % len(SIZES)]
    image = Image.new("RGB", (width, height), colour(shelf, 0.3))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 2 // 3, width, height), fill=colour(shelf, 0.5))
    radius = width // 12
    for disc in range(place + 1):
        x, y = width * (1 + disc % 4) // 5, height * (1 + disc // 4) // 5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour(shelf + disc + 1, 0.75))
    return image


def colour(hue: int, lightness: float) -> tuple[int, int, int]:
    """One of as many hues as there are shelves."""
    red, green, blue = (round(255 * part) for part in hls_to_rgb(hue / SHELVES % 1, lightness, 0.5))
    return red, green, blue


if __name__ == "__main__":
    main()
