from pathlib import Path

import pytest

from training.errors import EncoderUnavailable
from training.features.efficientnet_lite import EfficientNetLite
from training.features.image import image_encoder
from training.features.mean_colours import MeanColours
from training.features.vision_language import VisionLanguageEncoder


def test_encoders_are_found_by_name(tmp_path: Path) -> None:
    assert image_encoder("none") is None
    assert image_encoder("efficientnet-lite0") == EfficientNetLite()
    assert image_encoder("mean-colours") == MeanColours()
    assert image_encoder(str(tmp_path)) == VisionLanguageEncoder(tmp_path.name, tmp_path)


def test_a_name_that_is_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderUnavailable, match="neither a folder here nor a model"):
        image_encoder("not a model name")
