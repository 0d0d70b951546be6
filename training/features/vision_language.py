"""The image side of a CLIP, SigLIP or the like, through transformers: from a folder or the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from training.errors import EncoderUnavailable
from training.features.item_features import EncoderInfo
from training.features.model_folder import folder_fingerprint

_BATCH = 8


@dataclass(frozen=True)
class VisionLanguageEncoder:
    """A model folder with weights as safetensors: nothing in it is executed. Vectors have length 1."""

    name: str
    folder: Path

    @cached_property
    def info(self) -> EncoderInfo:
        """Name, and a hash over every file that decides the vectors."""
        return EncoderInfo(name=self.name, fingerprint=folder_fingerprint(self.folder, "length=1"), width=self._width())

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """The vectors [len(images), F].

        Raises:
            EncoderUnavailable: the folder holds no model with an image side, or one that is not as wide as it says.
        """
        batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        rows = [self._batch(batch) for batch in batches]
        return np.concatenate(rows) if rows else np.empty((0, self.info.width), dtype=np.float32)

    def _batch(self, images: Sequence[Image]) -> NDArray[np.float32]:
        processor, model = self._loaded
        seen = processor(images=list(images), return_tensors="pt")["pixel_values"].to(model.device)  # [b, 3, H, W]
        found = model.get_image_features(pixel_values=seen)
        vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output  # [b, F]
        if vectors.shape != (len(images), self.info.width):
            shape = tuple(vectors.shape)
            raise EncoderUnavailable(f"{self.folder}: vectors {shape}, not {(len(images), self.info.width)}")
        unit: NDArray[np.float32] = nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()  # [b, F]
        return unit

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoImageProcessor, AutoModel
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is on the screen already
        try:
            # Pillow's own resizing: the other one needs torchvision.
            find: Any = AutoImageProcessor  # it has no types
            processor = find.from_pretrained(self.folder, local_files_only=True, backend="pil")
            model = AutoModel.from_pretrained(self.folder, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise EncoderUnavailable(f"{self.folder}: {error}") from error
        if not hasattr(model, "get_image_features"):
            raise EncoderUnavailable(f"{self.folder}: {type(model).__name__} has no image side")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return processor, model.eval().to(device)

    def _width(self) -> int:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
            seen = config.vision_config
        except (OSError, ValueError, AttributeError) as error:
            raise EncoderUnavailable(f"{self.folder}: no model with an image side ({error})") from error
        return int(getattr(config, "projection_dim", None) or seen.hidden_size)
