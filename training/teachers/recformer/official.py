"""Recformer as its authors published it: `recformer_seqrec_ckpt.bin`, pre-trained on seven Amazon categories.

Three forms of one model are read: with the names of their fine-tuning model (`longformer.` and `lm_head.` in front), of
the bare encoder (nothing in front), and as their trainer wrote it (`_forward_module.model.` in front of the first form,
word vectors left out because they were frozen: those of the backbone stand for them).
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from training.artefacts import ArtefactMismatch
from training.teachers.corpus import Corpus
from training.teachers.published_weights import read_weights
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.recformer import Recformer

_TRAINER = "_forward_module.model."
_NAMES = (
    (r"(longformer\.)?embeddings\.word_embeddings\.", "embeddings.words."),
    (r"(longformer\.)?embeddings\.position_embeddings\.", "embeddings.positions."),
    (r"(longformer\.)?embeddings\.token_type_embeddings\.", "embeddings.types."),
    (r"(longformer\.)?embeddings\.item_position_embeddings\.", "embeddings.items."),
    (r"(longformer\.)?embeddings\.LayerNorm\.", "embeddings.norm."),
    (r"(longformer\.)?encoder\.layer\.", "backbone.layers."),
    (r"lm_head\.dense\.", "head.dense."),
    (r"lm_head\.layer_norm\.", "head.norm."),
    (r"lm_head\.bias$", "head.bias"),
)
_NOT_WANTED = re.compile(r"(longformer\.)?embeddings\.position_ids$|lm_head\.decoder\.|item_embedding\.")
"""A counter, the word vectors a second time, and the items of a catalogue that is not this one."""
_FIRST_POSITION = 2
"""Longformer's position vectors begin behind the padding's."""


def read_official(path: Path, config: RecformerConfig, corpus: Corpus) -> Recformer:
    """Build a model of these sizes, which must be Longformer's, with the published weights.

    Raises:
        ArtefactError: no checkpoint, or one of other names or sizes; they are listed.
    """
    model = Recformer(config, corpus.items)
    load_official(path, model)
    return model


def load_official(path: Path, model: Recformer) -> None:
    """Fill a model with the published weights; nothing changes where they do not fit.

    Raises:
        ArtefactError: as for `read_official`.
    """
    found = read_weights(path)
    theirs = {name.removeprefix(_TRAINER): one for name, one in found.items()}
    renamed = {_ours(name): one for name, one in theirs.items() if not _NOT_WANTED.match(name)}
    _cut_tables(renamed, model)
    may_lack = {"items"} | {name for name in model.state_dict() if name.startswith("head.")}
    if any(name.startswith(_TRAINER) for name in found):
        may_lack.add("embeddings.words.weight")
    problems = _problems(renamed, model.state_dict(), may_lack)
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise ArtefactMismatch(f"{path} is no Recformer checkpoint for backbone {model.config.backbone}: {shown}")
    model.load_state_dict({**model.state_dict(), **renamed})


def _ours(name: str) -> str:
    """Our name of one of their tensors; a name that is none of theirs stays as it is, and will be complained of."""
    for theirs, ours in _NAMES:
        changed, count = re.subn(f"^{theirs}", ours, name)
        if count:
            return changed
    return name


def _cut_tables(renamed: dict[str, Tensor], model: Recformer) -> None:
    """Position vectors without the padding's, and of as many places as the model has."""
    for name, begin in (("embeddings.positions.weight", _FIRST_POSITION), ("embeddings.items.weight", 0)):
        if name in renamed:
            renamed[name] = renamed[name][begin : begin + len(model.state_dict()[name])]


def _problems(found: dict[str, Tensor], wanted: dict[str, Tensor], may_lack: set[str]) -> list[str]:
    """What does not fit, in words."""
    missing = [f"{name} is missing" for name in wanted if name not in found and name not in may_lack]
    unknown = [f"{name} is unknown" for name in found if name not in wanted]
    sizes = [
        f"{name} is {list(one.shape)} there and {list(wanted[name].shape)} here"
        for name, one in found.items()
        if name in wanted and one.shape != wanted[name].shape
    ]
    return missing + unknown + sizes
