"""The language model under Recformer: full attention (BERT and its like) or Longformer, behind one seam."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from training.config import ConfigError
from training.errors import EncoderUnavailable
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.embeddings import SentenceEmbeddings, stretched
from training.teachers.recformer.vocabulary import NONE, Vocabulary, place

_POSITIONS_BEGIN = {"bert": False, "roberta": True, "xlm-roberta": True, "longformer": True}
"""Model types, and whether their position vectors begin after the padding's, as in fairseq."""


class Backbone(nn.Module, ABC):
    """A stack of transformer layers over token vectors."""

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.layers = layers

    @abstractmethod
    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """States of all tokens: float[B, T, D], bool[B, T] -> float[B, T, D]."""

    def first(self, hidden: Tensor, present: Tensor) -> Tensor:
        """The state of `<s>` alone: float[B, D]."""
        states: Tensor = self(hidden, present)  # [B, T, D]
        return states[:, 0]  # [B, D]


class FullAttention(Backbone):
    """BERT's layers, by scaled_dot_product_attention."""

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """float[B, T, D]."""
        mask = _mask(present)
        for layer in self.layers:
            hidden = _layer(layer, hidden, hidden, mask)  # [B, T, D]
        return hidden

    def first(self, hidden: Tensor, present: Tensor) -> Tensor:
        """float[B, D]. The last layer makes the one state that is read: of two layers that saves most of one."""
        mask = _mask(present)
        for layer in self.layers[:-1]:
            hidden = _layer(layer, hidden, hidden, mask)  # [B, T, D]
        return _layer(self.layers[-1], hidden[:, :1], hidden, mask)[:, 0]  # [B, D]


class SlidingWindow(Backbone):
    """Longformer's layers: each token sees its neighbours and `<s>`; `<s>` sees all (section 3.1.3)."""

    def __init__(self, encoder: Any, window: int) -> None:  # noqa: ANN401 - transformers' LongformerEncoder
        super().__init__(encoder.layer)
        self._window = window

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """float[B, T, D]."""
        length = hidden.shape[1]
        filling = -length % self._window  # its attention works on whole windows
        hidden = nn.functional.pad(hidden, (0, 0, 0, filling))  # [B, T', D]
        masked = ~nn.functional.pad(present, (0, filling))  # [B, T']
        whole = torch.zeros_like(masked)  # [B, T'] tokens that see all and are seen by all
        whole[:, 0] = True
        sign = whole.to(hidden.dtype) - masked.to(hidden.dtype)  # [B, T'] 1: global, 0: local, -1: not there
        for layer in self.layers:
            (hidden,) = layer(
                hidden,
                attention_mask=sign * 10_000,
                is_index_masked=masked,
                is_index_global_attn=whole,
                is_global_attn=True,
            )
        return hidden[:, :length]  # [B, T, D]


@dataclass(frozen=True)
class Loaded:
    """The two parts that a language model gives a Recformer."""

    embeddings: SentenceEmbeddings
    backbone: Backbone


def load_backbone(config: RecformerConfig, words: Vocabulary) -> Loaded:
    """Read a language model, or draw one at random for `none`.

    Raises:
        EncoderUnavailable: not there, or its weights cannot be read.
        ConfigError: a model of a type that is not known here, or more layers asked than it has.
    """
    model = _random(config, words) if config.backbone == NONE else _pretrained(config)
    return Loaded(_embeddings(model, config), _backbone(model, config))


def _embeddings(model: Any, config: RecformerConfig) -> SentenceEmbeddings:  # noqa: ANN401 - a transformers model
    known = model.embeddings
    begin = (model.config.pad_token_id + 1) if _POSITIONS_BEGIN[model.config.model_type] else 0
    positions = stretched(known.position_embeddings.weight.detach()[begin:].clone(), config.max_tokens)  # [P, D]
    embeddings = SentenceEmbeddings(known.word_embeddings, positions, known.LayerNorm, config.max_items)
    with torch.no_grad():  # every token of the backbone's own pre-training had this vector added
        embeddings.types.weight += known.token_type_embeddings.weight[0]  # [4, D]
    return embeddings


def _backbone(model: Any, config: RecformerConfig) -> Backbone:  # noqa: ANN401
    layers = model.encoder.layer
    if config.layers is not None and config.layers > len(layers):
        raise ConfigError(f"layers {config.layers}: {config.backbone} has {len(layers)}")
    model.encoder.layer = layers[: config.layers]
    if model.config.model_type == "longformer":
        return SlidingWindow(model.encoder, config.attention_window)
    return FullAttention(model.encoder.layer)


def _random(config: RecformerConfig, words: Vocabulary) -> Any:  # noqa: ANN401
    from transformers import BertConfig, BertModel

    sizes = config.random
    settings = BertConfig(
        vocab_size=words.size,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=sizes.positions,
        pad_token_id=words.pad,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
    )
    return BertModel(settings, add_pooling_layer=False)


def _pretrained(config: RecformerConfig) -> Any:  # noqa: ANN401
    """Weights as safetensors, or a .bin through torch's weights-only reader: nothing in a folder is executed."""
    from transformers import AutoConfig, AutoModel

    where = place(config.backbone)
    try:
        settings = AutoConfig.from_pretrained(where)
        if settings.model_type not in _POSITIONS_BEGIN:
            known = ", ".join(_POSITIONS_BEGIN)
            raise ConfigError(f"backbone {config.backbone} is of type {settings.model_type}; known: {known}")
        settings.hidden_dropout_prob = settings.attention_probs_dropout_prob = config.dropout
        settings.attention_window = [config.attention_window] * settings.num_hidden_layers
        with _quiet():
            model, report = AutoModel.from_pretrained(
                where, config=settings, add_pooling_layer=False, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EncoderUnavailable(f"{config.backbone}: no language model can be loaded ({reason})") from error
    if missing := sorted(report["missing_keys"]):
        raise EncoderUnavailable(f"{config.backbone}: its weights lack {', '.join(missing[:3])}")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """No bar and no list of parts that are not used here; parts that are missing raise."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _mask(present: Tensor) -> Tensor | None:
    """What each token may attend to, bool[B, 1, 1, T]; None, which is faster, where nothing is padding."""
    return None if bool(present.all()) else present[:, None, None]


def _layer(layer: Any, asking: Tensor, hidden: Tensor, mask: Tensor | None) -> Tensor:  # noqa: ANN401
    """One BERT layer for the states float[B, Q, D] that ask, over all states float[B, T, D]: float[B, Q, D]."""
    own = layer.attention.self
    query, key, value = (
        part(states).unflatten(-1, (own.num_attention_heads, -1)).transpose(1, 2)
        for part, states in ((own.query, asking), (own.key, hidden), (own.value, hidden))
    )  # [B, H, Q, D/H], 2 x [B, H, T, D/H]
    dropout = own.dropout.p if own.training else 0.0
    context = nn.functional.scaled_dot_product_attention(query, key, value, mask, dropout)  # [B, H, Q, D/H]
    attended = layer.attention.output(context.transpose(1, 2).flatten(2), asking)  # [B, Q, D]
    states: Tensor = layer.output(layer.intermediate(attended), attended)  # [B, Q, D]
    return states
