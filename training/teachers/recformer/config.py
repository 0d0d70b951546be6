"""Sizes of a Recformer; the defaults are the paper's (KDD 2023, section 3.1) where it gives one."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from training.config import Config
from training.teachers.corpus import Corpus
from training.teachers.kind import TeacherConfig
from training.teachers.recformer.vocabulary import vocabulary

Attribute = Literal["title", "brand", "category"]


class RandomBackbone(Config):
    """The backbone `none`: random weights over hashed words. It knows no language: for smoke runs and tests."""

    width: int = Field(default=32, ge=2)
    """D"""
    layers: int = Field(default=1, ge=1)
    heads: int = Field(default=2, ge=1)
    words: int = Field(default=2048, ge=1)
    """Places that words are hashed into."""
    positions: int = Field(default=512, ge=2)
    """Token positions; a longer `max_tokens` repeats them."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class RecformerConfig(TeacherConfig):
    """Sizes, and how much is read."""

    content_fields: ClassVar[tuple[str, ...]] = ("vocabulary",)

    backbone: str = Field(default="minilm", min_length=1)
    """`minilm` (6 layers, 384-d, needs no network), `none` (random, see `random`), or the folder or hub name of a
    model of type bert, roberta, xlm-roberta or longformer: the paper's is `allenai/longformer-base-4096`."""
    layers: int | None = Field(default=None, ge=1)
    """Keep only the first so many layers of the backbone; none: all of them."""
    random: RandomBackbone = Field(default_factory=RandomBackbone)
    """Read with `backbone = "none"` only."""
    attention_window: int = Field(default=64, ge=2, multiple_of=2)
    """Tokens that one sees of its neighbours in a Longformer: half of them on each side. Other backbones see all."""
    attributes: tuple[Attribute, ...] = Field(default=("title", "brand", "category"), min_length=1, max_length=3)
    """Keys of an item's sentence, in their order."""
    attribute_tokens: int = Field(default=32, ge=2)
    """An attribute, key and value, is cut after so many tokens."""
    max_items: int = Field(default=50, ge=1)
    """The newest items that are read, one item position each."""
    max_tokens: int = Field(default=1024, ge=2)
    """A history is cut after so many tokens, `<s>` among them: the oldest words go first."""
    pooling: Literal["first", "mean"] = "first"
    """Vectors are the state of `<s>` (the paper), or the mean of all token states."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Of embeddings, attention and states."""
    temperature: float = Field(default=0.05, gt=0)
    """tau of every cosine."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """Of the matrix products inside the backbone. auto: bf16 where the device has instructions for it, else fp32."""
    tokens_per_pass: int = Field(default=8192, ge=1)
    """Tokens that go through the backbone at a time when much is encoded: bounds the memory."""
    vocabulary: str = ""
    """Fingerprint of the tokenizer; taken from the backbone."""

    def reading(self, corpus: Corpus) -> Self:
        """The same sizes, bound to the vocabulary; every catalogue's texts can be read with it."""
        del corpus
        return self.model_copy(update={"vocabulary": vocabulary(self.backbone, self.random.words).fingerprint})
