"""Fine-tuning in stages: each begins with the best weights of the one before, and a kill costs one epoch of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.artefacts import WEIGHTS, ModelRecord
from training.batches import Batch
from training.dataset import Dataset
from training.fitting import STATE, FitConfig, StepLoss
from training.teachers.corpus import Corpus
from training.teachers.finetuning import NextItem
from training.teachers.kind import Stage
from training.teachers.steps import finetune
from training.teachers.unisrec import UniSRec
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe


class Killed(Exception):
    """Stands for the power going off."""


class Watched(NextItem):
    """Notes the weights that it began with and the epochs that it ran; may be killed in the last step of one."""

    def __init__(self, model: UniSRec, dataset: Dataset, rows: int, killed_in: int = 0) -> None:
        super().__init__(model, Corpus.of([dataset]), rows)
        self.killed_in, self.epochs = killed_in, [0]
        self.began: dict[str, torch.Tensor] = {}

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        if epoch == self.killed_in and self.epochs[-1] == epoch:
            raise Killed
        if not self.began:
            self.began = {name: one.detach().clone() for name, one in self._model.state_dict().items()}
        self.epochs.append(epoch)
        return super().loss(batch, epoch)


class TwoStages(UniSRecKind):
    """The second stage learns as its settings say."""

    def __init__(self, second: FitConfig, killed_in: tuple[int, int] = (0, 0)) -> None:
        self.second, self.killed_in = second, killed_in
        self.watched: list[Watched] = []

    def finetuning(self, model: UniSRec, dataset: Dataset, recipe: UniSRecRecipe) -> Iterator[Stage]:
        fits = (recipe.finetune.fit, self.second)
        for name, fit, killed_in in zip(("first", "second"), fits, self.killed_in, strict=True):
            self.watched.append(Watched(model, dataset, fit.rows_per_batch, killed_in))
            yield Stage(name, self.watched[-1], fit)


@pytest.fixture
def recipe(teacher_recipe: UniSRecRecipe) -> UniSRecRecipe:
    """Three epochs in the first stage."""
    fit = teacher_recipe.finetune.fit.model_copy(update={"epochs": 3})
    return teacher_recipe.model_copy(update={"finetune": teacher_recipe.finetune.model_copy(update={"fit": fit})})


@pytest.fixture
def second(recipe: UniSRecRecipe) -> FitConfig:
    return recipe.finetune.fit.model_copy(update={"epochs": 2, "learning_rate": 5e-3})


def points(record: ModelRecord) -> list[tuple[int, float, float]]:
    return [(one.epoch, one.loss, one.validation) for one in record.curve]


def test_a_stage_begins_with_the_best_weights_of_the_one_before(
    markov: Dataset, recipe: UniSRecRecipe, second: FitConfig, tmp_path: Path
) -> None:
    alone = finetune(UniSRecKind(), markov, recipe, tmp_path / "alone")
    kind = TwoStages(second)
    record = finetune(kind, markov, recipe, tmp_path / "both")
    best = load_file(tmp_path / "alone" / WEIGHTS)
    assert all(torch.equal(best[name], kind.watched[1].began[name]) for name in best)
    assert points(record)[:3] == points(alone)
    assert [point.epoch for point in record.curve] == [1, 2, 3, 4, 5]
    assert record.curve[record.best_epoch - 1].validation == max(point.validation for point in record.curve)
    assert record.best_epoch > 3  # these data are not learnt in three epochs
    assert record.seconds == pytest.approx(sum(point.seconds for point in record.curve))


def test_a_stage_that_brings_nothing_better_leaves_the_weights_of_the_one_before(
    markov: Dataset, recipe: UniSRecRecipe, second: FitConfig, tmp_path: Path
) -> None:
    alone = finetune(UniSRecKind(), markov, recipe, tmp_path / "alone")
    ruin = second.model_copy(update={"learning_rate": 10.0})
    record = finetune(TwoStages(ruin), markov, recipe, tmp_path / "both")
    assert record.weights_sha256 == alone.weights_sha256
    assert record.best_epoch == alone.best_epoch
    assert len(record.curve) == 5  # what did not help is told all the same


@pytest.mark.parametrize(("killed_in", "run"), [((2, 0), ({2, 3}, {1, 2})), ((0, 2), (set(), {2}))])
def test_a_kill_in_a_stage_goes_on_there(
    markov: Dataset,
    recipe: UniSRecRecipe,
    second: FitConfig,
    tmp_path: Path,
    killed_in: tuple[int, int],
    run: tuple[set[int], set[int]],
) -> None:
    whole = finetune(TwoStages(second), markov, recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        finetune(TwoStages(second, killed_in), markov, recipe, tmp_path / "killed")
    kind = TwoStages(second)
    record = finetune(kind, markov, recipe, tmp_path / "killed")
    assert tuple(set(one.epochs) - {0} for one in kind.watched) == run  # what was done is not done again
    assert record.weights_sha256 == whole.weights_sha256
    assert points(record) == points(whole)
    assert not list((tmp_path / "killed").rglob(STATE))
    assert not list((tmp_path / "killed").glob("stage-*"))


def test_a_kind_without_a_stage_is_a_mistake_of_its_author(
    markov: Dataset, recipe: UniSRecRecipe, tmp_path: Path
) -> None:
    class Nothing(UniSRecKind):
        def finetuning(self, model: UniSRec, dataset: Dataset, recipe: UniSRecRecipe) -> Iterator[Stage]:
            return iter(())

    with pytest.raises(ValueError, match=f"{tmp_path}: a training of no stage"):
        finetune(Nothing(), markov, recipe, tmp_path)
