import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from training.features.mean_colours import MeanColours

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


@given(st.lists(PIXELS, min_size=1, max_size=4))
def test_a_vector_is_no_longer_than_one_and_depends_on_its_picture_alone(pixels: list[NDArray[np.uint8]]) -> None:
    images = [Image.fromarray(one) for one in pixels]
    vectors = MeanColours().encode(images)
    assert vectors.shape == (len(images), MeanColours().info.width)
    assert np.all(np.linalg.norm(vectors, axis=1) <= 1 + 1e-5)
    assert np.array_equal(vectors, np.concatenate([MeanColours().encode([one]) for one in images]))


def test_one_colour_is_that_colour_and_no_edge() -> None:
    vector = MeanColours(1).encode([Image.new("RGB", (50, 9), (255, 0, 255))])[0] * np.sqrt(7)
    assert np.allclose(vector, [1, -1, 1, 0, 0, 0, 0], atol=1e-6)


def test_stripes_are_edges_across_themselves() -> None:
    rows = np.zeros((32, 32, 3), np.uint8)
    rows[::2] = 255
    down, along, *_ = MeanColours(1).encode([Image.fromarray(rows)])[0][3:]
    assert (down > 0, along) == (True, 0)


def test_another_grid_is_another_encoder() -> None:
    assert MeanColours(2).info.fingerprint != MeanColours(4).info.fingerprint
    assert MeanColours(2).encode([]).shape == (0, MeanColours(2).info.width)
    with pytest.raises(ValueError, match="cannot be cut into 5"):
        MeanColours(5)
