from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from training.errors import EncoderUnavailable
from training.features.vision_language import VisionLanguageEncoder

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
SEEN = {**SIZES, "image_size": 32, "patch_size": 8}
READ = {**SIZES, "vocab_size": 20}
PICTURES = [Image.effect_noise((40 + k, 30), 60).convert("RGB") for k in range(9)]


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the hub has it: model and image processor, here tiny and random."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoders") / str(request.param)
    if request.param == "clip":
        config = CLIPConfig.from_dict({"text_config": READ, "vision_config": SEEN, "projection_dim": 12})
        CLIPModel(config).save_pretrained(path)
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32).save_pretrained(path)
    else:
        SiglipModel(SiglipConfig.from_dict({"text_config": READ, "vision_config": SEEN})).save_pretrained(path)
        SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(path)
    return path


def test_vectors_are_those_of_the_image_side_at_length_one(folder: Path) -> None:
    vectors = VisionLanguageEncoder("tiny", folder).encode(PICTURES)
    assert vectors.shape == (9, 12 if folder.name == "clip" else 16)
    model, processor = (
        (CLIPModel, CLIPImageProcessorPil) if folder.name == "clip" else (SiglipModel, SiglipImageProcessorPil)
    )
    pixels = processor.from_pretrained(folder)(images=PICTURES, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        whole = model.from_pretrained(folder).get_image_features(pixel_values=pixels).pooler_output.numpy()
    assert np.allclose(vectors, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)


def test_the_width_is_known_before_anything_is_loaded(folder: Path) -> None:
    info = VisionLanguageEncoder("tiny", folder).info
    assert (info.name, info.width) == ("tiny", 12 if folder.name == "clip" else 16)
    assert VisionLanguageEncoder("tiny", folder).encode([]).shape == (0, info.width)


def test_a_model_without_an_image_side_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="no model with an image side"):
        _ = VisionLanguageEncoder("none", tmp_path).info
    BertModel(BertConfig.from_dict({**SIZES, "vocab_size": 9})).save_pretrained(tmp_path / "bert")
    with pytest.raises(EncoderUnavailable, match="no model with an image side"):
        _ = VisionLanguageEncoder("bert", tmp_path / "bert").info
