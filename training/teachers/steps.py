"""The steps `pretrain` and `finetune`: recipes, folders, and what is checked before time is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from training.artefacts import (
    RECORD,
    ArtefactCorrupt,
    ArtefactMismatch,
    Lineage,
    ModelRecord,
    load_weights,
    read_record,
    require_same_data,
    save_model,
    sha256_of,
)
from training.artefacts import Stage as Done
from training.dataset import Dataset
from training.evaluation.selection import evenly, validation_ndcg
from training.fitting import FitConfig, Fitted, Task, fit, forget
from training.lineage import lineage_of, merged_lineage
from training.processes import Processes
from training.stages import fit_stages
from training.teachers.base import Teacher
from training.teachers.corpus import Corpus
from training.teachers.kind import FinetuneConfig, PretrainConfig, TeacherConfig, TeacherKind, TeacherRecipe
from training.teachers.registry import Kinds, teacher_kind

AnyKind = TeacherKind[Any, Any, Any]


@dataclass(frozen=True)
class _Origin:
    """What a training stands on; all of it decides whether a training that stopped may be gone on with."""

    lineage: Lineage
    started_from: str = ""
    """sha256 of the pre-trained weights."""

    def hash(self, kind: AnyKind, recipe: TeacherRecipe, model: Teacher) -> str:
        """Changes when anything does that matters to the result."""
        config: TeacherConfig = kind.config_of(model)
        return recipe.hash + config.hash + self.lineage.hash + self.started_from


def pretrain(kind: AnyKind, datasets: Sequence[Dataset], recipe: TeacherRecipe, out: Path) -> ModelRecord:
    """Pre-train a teacher on the train parts of several data sets as one corpus.

    Raises:
        ConfigError: data sets that make no corpus.
    """
    corpus = Corpus.of(datasets)
    torch.manual_seed(recipe.pretrain.fit.seed)
    model = kind.build(kind.pretrained(recipe.model).reading(corpus), corpus)
    origin = _Origin(merged_lineage(datasets))
    task = Task(
        title=f"pre-training {kind.name}",
        model=model,
        objective=kind.pretraining(model, corpus, recipe),
        validate=None,
        recipe=origin.hash(kind, recipe, model),
    )
    fitted = fit(task, recipe.pretrain.fit, out)
    return _save(out, model, _record("pretrained", kind, model, (recipe.pretrain, origin, fitted)))


def finetune(
    kind: AnyKind, dataset: Dataset, recipe: TeacherRecipe, out: Path, init: Path | None = None
) -> ModelRecord:
    """Fit a teacher to one catalogue, from a pre-trained one or from nothing.

    Args:
        kind: of the teacher.
        dataset: the target.
        recipe: sizes where there is no `init`, and how to train.
        out: folder to write.
        init: folder of a pre-trained teacher of this kind, or the file that its authors published.

    Raises:
        ArtefactError: `init` is no pre-trained teacher of this kind, or reads other content than the data set's.
    """
    torch.manual_seed(recipe.finetune.fit.seed)
    model = _initialised(kind, recipe, Corpus.of([dataset]), init)
    origin = _Origin(lineage_of(dataset), _weights_of(init) if init else "")
    fitted = fit_stages(_stages(kind, model, dataset, recipe, origin), out)
    return _save(out, model, _record("finetuned", kind, model, (recipe.finetune, origin, fitted)))


def load_teacher(folder: Path, dataset: Dataset, kinds: Kinds | None = None) -> tuple[Teacher, ModelRecord]:
    """Read a fine-tuned teacher back, for the data set that it was fitted to.

    Args:
        folder: of the teacher.
        dataset: the target.
        kinds: where its name is looked up; none given: `known_kinds()`.

    Raises:
        ArtefactError: missing, corrupt, only pre-trained, or of another data set or encoder.
        ConfigError: no teacher has the name that the record states.
    """
    record = read_record(folder)
    _require(folder, record, "finetuned")
    require_same_data(folder, record.data, lineage_of(dataset))
    model = _saved(teacher_kind(record.name, kinds), folder, record, Corpus.of([dataset]))
    model.eval()
    return model, record


def _saved(kind: AnyKind, folder: Path, record: ModelRecord, corpus: Corpus) -> Teacher:
    """A model as it lies in a folder, over the content at hand: another encoder's vectors would be noise to it."""
    try:
        config = type(kind.recipe().model).model_validate(record.config)
    except ValidationError as error:
        raise ArtefactCorrupt(f"{folder / RECORD}: its config is no {kind.name}'s: {error}") from error
    if different := config.differs(corpus, may_lack=record.stage == "pretrained"):
        folders = ", ".join(str(one.folder) for one in corpus.datasets)
        raise ArtefactMismatch(f"{folder} reads other content than that of {folders}: {'; '.join(different)}")
    model: Teacher = kind.build(config, corpus)
    load_weights(folder, record, model)
    return model


def _initialised(kind: AnyKind, recipe: TeacherRecipe, corpus: Corpus, init: Path | None) -> Teacher:
    if init is None:
        fresh: Teacher = kind.build(recipe.model.reading(corpus), corpus)
        return fresh
    pretrained = kind.official(init, recipe, corpus) if init.is_file() else _pretrained(kind, init, corpus)
    model: Teacher = kind.build(kind.tuned(recipe.model, kind.config_of(pretrained)).reading(corpus), corpus)
    kind.adopt(model, pretrained, recipe)
    return model


def _pretrained(kind: AnyKind, init: Path, corpus: Corpus) -> Teacher:
    record = read_record(init)
    _require(init, record, "pretrained")
    if record.name != kind.name:
        raise ArtefactMismatch(f"{init} holds a {record.name}, not a {kind.name}")
    return _saved(kind, init, record, corpus)


def _require(folder: Path, record: ModelRecord, stage: Done) -> None:
    if record.kind != "teacher" or record.stage != stage:
        said = {"pretrained": "pre-trained", "finetuned": "fine-tuned"}[stage]
        raise ArtefactMismatch(f"{folder} holds a {record.stage} {record.kind}, not a {said} teacher")


def _weights_of(init: Path) -> str:
    return sha256_of(init) if init.is_file() else read_record(init).weights_sha256


def _stages(
    kind: AnyKind, model: Teacher, dataset: Dataset, recipe: TeacherRecipe, origin: _Origin
) -> Iterator[tuple[Task, FitConfig]]:
    """What the kind does one after the other, as tasks that validation ends."""
    chosen = evenly(dataset.split.validation, recipe.finetune.validation_users)
    for stage in kind.finetuning(model, dataset, recipe):
        task = Task(
            title=f"fine-tuning {kind.name} on {dataset.name}{stage.title and f', {stage.title}'}",
            model=model,
            objective=stage.objective,
            validate=lambda: validation_ndcg(model, dataset, chosen, recipe.finetune.select_on),
            recipe=origin.hash(kind, recipe, model),
        )
        yield task, stage.fit


def _record(
    stage: Done, kind: AnyKind, model: Teacher, how: tuple[PretrainConfig | FinetuneConfig, _Origin, Fitted]
) -> ModelRecord:
    settings, origin, fitted = how
    return ModelRecord(
        kind="teacher",
        stage=stage,
        name=kind.name,
        config=kind.config_of(model).model_dump(mode="json"),
        recipe=settings.model_dump(mode="json"),
        data=origin.lineage,
        started_from=origin.started_from,
        seed=settings.fit.seed,
        parameters=model.parameters_count,
        curve=fitted.curve,
        best_epoch=fitted.best_epoch,
        cut_short=fitted.cut_short if stage == "finetuned" else None,  # pre-training has a budget, not an end
        seconds=fitted.seconds,
        device=fitted.device,
    )


def _save(out: Path, model: Teacher, record: ModelRecord) -> ModelRecord:
    """The process that writes does; the others wait and read what it wrote."""
    processes = Processes.here()
    if processes.writes:
        save_model(out, model, record)
        forget(out)
    processes.wait()
    return read_record(out)
