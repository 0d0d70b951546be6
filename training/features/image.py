"""Frozen image encoders: by name, from a folder, or the one that needs no network."""

from __future__ import annotations

from training.features.efficientnet_lite import EFFICIENTNET, EfficientNetLite
from training.features.encoder import ImageEncoder
from training.features.mean_colours import MeanColours
from training.features.model_folder import named_folder
from training.features.vision_language import VisionLanguageEncoder

NO_IMAGES = "none"
MEAN_COLOURS = "mean-colours"


def image_encoder(name: str) -> ImageEncoder | None:
    """Find an encoder; None for `none`.

    Args:
        name: `none`, `efficientnet-lite0`, `mean-colours`, a folder, or the name of a CLIP or SigLIP on the hub.

    Raises:
        EncoderUnavailable: it is not there, or cannot be fetched.
    """
    if name == NO_IMAGES:
        return None
    if name == EFFICIENTNET:
        return EfficientNetLite()
    if name == MEAN_COLOURS:
        return MeanColours()
    return VisionLanguageEncoder(*named_folder(name))
