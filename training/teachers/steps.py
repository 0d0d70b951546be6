"""The steps `pretrain` and `finetune`: recipes, folders, and what is checked before time is spent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field

from training.artefacts import (
    ArtefactMismatch,
    Lineage,
    ModelRecord,
    Stage,
    load_weights,
    read_record,
    require_same_data,
    save_model,
)
from training.batches import WindowBatches
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.evaluation.selection import SelectOn, validation_ndcg
from training.fitting import FitConfig, Fitted, Task, fit, forget
from training.lineage import lineage_of, merged_lineage
from training.sequences import train_windows
from training.teachers.corpus import Corpus
from training.teachers.finetuning import softmax_over_catalogue
from training.teachers.unisrec import UniSRec, UniSRecConfig
from training.teachers.unisrec_pretraining import UniSRecPretrainConfig, UniSRecPretraining

TEACHERS = ("unisrec",)


class FinetuneConfig(Config):
    """How a teacher is fitted to the target catalogue."""

    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=100, patience=10))
    select_on: SelectOn = "unmasked"
    """Which validation NDCG@10 stops the training."""
    freeze_sequence_encoder: bool = True
    """As the paper does. Only where there is something to keep: without --init nothing is frozen."""


class TeacherRecipe(Config):
    """One TOML file for a teacher: sizes, pre-training, fine-tuning."""

    model: UniSRecConfig = Field(default_factory=UniSRecConfig)
    pretrain: UniSRecPretrainConfig = Field(default_factory=UniSRecPretrainConfig)
    finetune: FinetuneConfig = Field(default_factory=FinetuneConfig)


def pretrain(name: str, datasets: Sequence[Dataset], recipe: TeacherRecipe, out: Path) -> ModelRecord:
    """Pre-train a teacher on the train parts of several data sets as one corpus, by contrastive learning.

    Raises:
        ConfigError: no such teacher, or data sets that make no corpus.
    """
    _require_known(name)
    config = _reading(datasets[0], recipe.model.model_copy(update={"item_ids": False}))
    corpus = Corpus.of(datasets, config.encoder.max_history)
    torch.manual_seed(recipe.pretrain.fit.seed)
    model = UniSRec(config, corpus.text)
    device = recipe.pretrain.fit.pick_device()
    objective = UniSRecPretraining(model, corpus.text_word_drop.to(device), recipe.pretrain)
    batches = WindowBatches(corpus.windows, recipe.pretrain.fit.rows_per_batch)
    lineage = merged_lineage(datasets)
    task = Task(
        title=f"pre-training {name}",
        model=model,
        epoch=lambda rng: (batches.batch(one).to(device) for one in batches.epoch(rng)),
        loss=objective.loss,
        validate=None,
        recipe=recipe.hash + config.hash + lineage.hash,
    )
    fitted = fit(task, recipe.pretrain.fit, out)
    return _save(model, _record("pretrained", model, recipe.pretrain, lineage, fitted), out)


def finetune(name: str, dataset: Dataset, recipe: TeacherRecipe, out: Path, init: Path | None = None) -> ModelRecord:
    """Fit a teacher to one catalogue, from a pre-trained one or from nothing.

    Raises:
        ConfigError: no such teacher.
        ArtefactError: `init` is no pre-trained teacher of this kind.
    """
    _require_known(name)
    torch.manual_seed(recipe.finetune.fit.seed)
    model = _initialised(recipe, dataset, init)
    settings = recipe.finetune
    device = settings.fit.pick_device()
    lineage = lineage_of(dataset)
    windows = train_windows(dataset.interactions, dataset.split, model.max_history)
    batches = WindowBatches(windows, settings.fit.rows_per_batch)
    task = Task(
        title=f"fine-tuning {name} on {dataset.name}",
        model=model,
        epoch=lambda rng: (batches.batch(one).to(device) for one in batches.epoch(rng)),
        loss=lambda batch, epoch: softmax_over_catalogue(model, batch),
        validate=lambda: validation_ndcg(model, dataset, dataset.split.validation, settings.select_on),
        recipe=recipe.hash + model.config.hash + lineage.hash + (read_record(init).weights_sha256 if init else ""),
    )
    fitted = fit(task, settings.fit, out)
    return _save(model, _record("finetuned", model, settings, lineage, fitted), out)


def load_teacher(folder: Path, dataset: Dataset) -> tuple[UniSRec, ModelRecord]:
    """Read a fine-tuned teacher back, for the data set that it was fitted to.

    Raises:
        ArtefactError: missing, corrupt, only pre-trained, or of another data set or text encoder.
    """
    record = read_record(folder)
    if record.kind != "teacher" or record.stage != "finetuned":
        raise ArtefactMismatch(f"{folder} holds a {record.stage} {record.kind}, not a fine-tuned teacher")
    require_same_data(folder, record.data, lineage_of(dataset))
    model = UniSRec(_config_for(folder, record, dataset), _text(dataset))
    load_weights(folder, record, model)
    model.eval()
    return model, record


def _reading(dataset: Dataset, config: UniSRecConfig) -> UniSRecConfig:
    """The sizes of a model that reads this data set's texts."""
    encoder = dataset.text.encoder
    return config.model_copy(update={"text_width": encoder.width, "text_encoder": encoder.fingerprint})


def _config_for(folder: Path, record: ModelRecord, dataset: Dataset) -> UniSRecConfig:
    """The sizes of a saved model that reads texts as this data set's are encoded: another encoder's are noise to it."""
    config = UniSRecConfig.model_validate(record.config)
    if config != _reading(dataset, config):
        encoder = dataset.text.encoder
        raise ArtefactMismatch(
            f"{folder} reads {config.text_width}-d texts of encoder {config.text_encoder[:12]}, those of "
            f"{dataset.folder} are {encoder.width}-d, of {encoder.name} ({encoder.fingerprint[:12]})"
        )
    return config


def _text(dataset: Dataset) -> torch.Tensor:
    """float[N+1, F]."""
    return torch.from_numpy(dataset.text.values.copy())  # [N+1, F]


def _initialised(recipe: TeacherRecipe, dataset: Dataset, init: Path | None) -> UniSRec:
    """Sizes come from the pre-trained teacher where there is one; whether ids are added is the recipe's to say."""
    text = _text(dataset)
    if init is None:
        return UniSRec(_reading(dataset, recipe.model), text)
    record = read_record(init)
    if record.kind != "teacher" or record.stage != "pretrained":
        raise ArtefactMismatch(f"{init} holds a {record.stage} {record.kind}, not a pre-trained teacher")
    config = _config_for(init, record, dataset)
    pretrained = UniSRec(config, text)
    load_weights(init, record, pretrained)
    model = UniSRec(config.model_copy(update={"item_ids": recipe.model.item_ids}), text)
    model.adaptor.load_state_dict(pretrained.adaptor.state_dict())
    model.encoder.load_state_dict(pretrained.encoder.state_dict())
    if recipe.finetune.freeze_sequence_encoder:
        model.freeze_sequence_encoder()
    return model


def _record(
    stage: Stage, model: UniSRec, recipe: UniSRecPretrainConfig | FinetuneConfig, lineage: Lineage, fitted: Fitted
) -> ModelRecord:
    return ModelRecord(
        kind="teacher",
        stage=stage,
        name=model.name,
        config=model.config.model_dump(mode="json"),
        recipe=recipe.model_dump(mode="json"),
        data=lineage,
        seed=recipe.fit.seed,
        parameters=model.parameters_count,
        curve=fitted.curve,
        best_epoch=fitted.best_epoch,
        seconds=fitted.seconds,
    )


def _save(model: UniSRec, record: ModelRecord, out: Path) -> ModelRecord:
    saved = save_model(out, model, record)
    forget(out)
    return saved


def _require_known(name: str) -> None:
    if name not in TEACHERS:
        raise ConfigError(f"no teacher is called {name!r}; known: {', '.join(TEACHERS)}")
