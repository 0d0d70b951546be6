"""UniSRec as its authors published it: `UniSRec-FHCKM-300.pth`, pre-trained on five Amazon categories.

Their layers are RecBole's, ours have other names; the sums are the same. The checkpoint reads BERT's [CLS] vectors
(`prepare --encoder bert-base-uncased --pooling cls`): on other texts its adaptor means nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from training.artefacts import ArtefactMismatch
from training.teachers.corpus import Corpus
from training.teachers.published_weights import read_weights
from training.teachers.unisrec import UniSRec, UniSRecConfig

_BLOCK = {
    "multi_head_attention.dense": "attention_out",
    "multi_head_attention.LayerNorm": "attention_norm",
    "feed_forward.dense_1": "feed_forward.0",
    "feed_forward.dense_2": "feed_forward.2",
    "feed_forward.LayerNorm": "feed_forward_norm",
}
_JOINED = ("query", "key", "value")
_WEIGHT_AND_BIAS = ("weight", "bias")


def read_official(path: Path, config: UniSRecConfig, corpus: Corpus) -> UniSRec:
    """Build a model of these sizes with the published weights; ids and anything else of the file stay behind.

    Raises:
        ArtefactError: no checkpoint, or one of other names or sizes; the first few are listed.
    """
    model = UniSRec(config.model_copy(update={"item_ids": False}), corpus.text)
    found = read_weights(path)
    wanted = model.state_dict()
    try:
        renamed = _renamed(found, config)
    except KeyError as error:
        raise ArtefactMismatch(f"{path}: has no {error.args[0]!r}, so it is no UniSRec checkpoint") from error
    wrong = [
        f"{name} {list(one.shape)} there, {list(wanted[name].shape)} here"
        for name, one in renamed.items()
        if one.shape != wanted[name].shape
    ]
    if any(name.startswith(f"trm_encoder.layer.{config.encoder.layers}.") for name in found):
        wrong.append(f"more layers there than {config.encoder.layers}")
    if wrong:
        raise ArtefactMismatch(f"{path}: of other sizes than the recipe's [model]: {'; '.join(wrong[:3])}")
    model.load_state_dict({**wanted, **renamed})
    return model


def _renamed(found: dict[str, Tensor], config: UniSRecConfig) -> dict[str, Tensor]:
    """Their tensors under our names."""
    ours = {"encoder.position.weight": found["position_embedding.weight"]}
    for end in _WEIGHT_AND_BIAS:
        ours[f"encoder.norm.{end}"] = found[f"LayerNorm.{end}"]
    for layer in range(config.encoder.layers):
        ours |= _block(found, f"trm_encoder.layer.{layer}", f"encoder.blocks.{layer}")
    ours |= {"adaptor.gate": found["moe_adaptor.w_gate"], "adaptor.noise": found["moe_adaptor.w_noise"]}
    for expert in range(config.experts):
        ours[f"adaptor.experts.{expert}.shift"] = found[f"moe_adaptor.experts.{expert}.bias"]
        ours[f"adaptor.experts.{expert}.map.weight"] = found[f"moe_adaptor.experts.{expert}.lin.weight"]
    return ours


def _block(found: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """One layer; their three projections are one of ours."""
    block = {}
    for end in _WEIGHT_AND_BIAS:
        parts = [found[f"{theirs}.multi_head_attention.{name}.{end}"] for name in _JOINED]
        block[f"{ours}.query_key_value.{end}"] = torch.cat(parts)  # [3D, D] or [3D]
        for name, own in _BLOCK.items():
            block[f"{ours}.{own}.{end}"] = found[f"{theirs}.{name}.{end}"]
    return block
