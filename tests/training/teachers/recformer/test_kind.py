from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.artefacts import ArtefactMismatch
from training.asking import rows_to_ask
from training.dataset import Dataset
from training.evaluation.selection import validation_ndcg
from training.fitting import FitConfig
from training.knowledge import gather
from training.teachers.corpus import Corpus
from training.teachers.recformer.config import RandomBackbone, RecformerConfig
from training.teachers.recformer.finetuning import RecformerFinetuneConfig
from training.teachers.recformer.kind import RecformerKind, RecformerRecipe
from training.teachers.recformer.pretraining import RecformerPretrainConfig
from training.teachers.recformer.recformer import Recformer
from training.teachers.registry import teacher_kind
from training.teachers.steps import finetune, load_teacher, pretrain

KIND = RecformerKind()


def recipe_of(epochs: int = 1, **model: object) -> RecformerRecipe:
    fit = FitConfig(epochs=epochs, learning_rate=3e-3, rows_per_batch=32, device="cpu")
    sizes = {"backbone": "none", "max_items": 8, "max_tokens": 64, "dropout": 0.0, "random": RandomBackbone(words=512)}
    return RecformerRecipe(
        model=RecformerConfig.model_validate(sizes | model),
        pretrain=RecformerPretrainConfig(fit=fit, freeze_words=False),
        finetune=RecformerFinetuneConfig(fit=fit, second_epochs=epochs),
    )


@pytest.fixture(scope="module")
def pretrained(markov: Dataset, noise: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recformer") / "pretrained"
    pretrain(KIND, [markov, noise], recipe_of(2), out)
    return out


@pytest.fixture(scope="module")
def tuned(markov: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recformer") / "tuned"
    finetune(KIND, markov, recipe_of(20), out)
    return out


def test_it_is_known_by_its_name() -> None:
    assert isinstance(teacher_kind("recformer"), RecformerKind)


def test_it_learns_which_item_follows_which(markov: Dataset, tuned: Path) -> None:
    """Of 40 items: by chance .11, what is most popular .13; the chain itself would be worth about .83."""
    model, _ = load_teacher(tuned, markov)
    assert validation_ndcg(model, markov, markov.split.test, "unmasked") > 0.4


def test_pre_training_learns(pretrained: Path) -> None:
    from training.artefacts import read_record

    first, *_, last = read_record(pretrained).curve
    assert last.loss < first.loss - 0.1


def test_noise_is_not_learnt(noise: Dataset, tmp_path: Path) -> None:
    finetune(KIND, noise, recipe_of(4), tmp_path / "out")
    model, _ = load_teacher(tmp_path / "out", noise)
    assert validation_ndcg(model, noise, noise.split.test, "unmasked") < 0.2


def test_a_fine_tuned_teacher_has_its_items_with_it(markov: Dataset, tuned: Path) -> None:
    model, record = load_teacher(tuned, markov)
    assert isinstance(model, Recformer)
    assert model.items.shape == (41, 32)
    with torch.no_grad():
        assert not torch.allclose(model.items, model.read_items(), atol=1e-3)  # of the weights that an epoch began with
    assert len(record.curve) > 8  # both stages


def test_a_pre_trained_teacher_says_nothing_of_items_and_gives_its_weights(
    pretrained: Path, markov: Dataset, noise: Dataset
) -> None:
    assert load_file(pretrained / "model.safetensors")["items"].shape == (0, 32)
    both, one = Corpus.of([markov, noise]), Corpus.of([noise])
    recipe = recipe_of(max_tokens=48)
    source = KIND.build(recipe_of().model.reading(both), both)
    source.keep_items()
    model = KIND.build(KIND.tuned(recipe.model, source.config).reading(one), one)
    KIND.adopt(model, source, recipe)
    known = source.state_dict()
    assert all(torch.equal(tensor, known[name]) for name, tensor in model.state_dict().items() if name != "items")
    assert (len(model.items), model.config.max_tokens) == (0, 48)


@pytest.mark.parametrize(("before", "after"), [(64, 700), (700, 64)])
def test_fine_tuning_may_read_more_or_less_than_pre_training(markov: Dataset, before: int, after: int) -> None:
    corpus = Corpus.of([markov])
    source = KIND.build(recipe_of(max_tokens=before).model.reading(corpus), corpus)
    recipe = recipe_of(max_tokens=after)
    model = KIND.build(KIND.tuned(recipe.model, source.config).reading(corpus), corpus)
    KIND.adopt(model, source, recipe)
    theirs, ours = source.embeddings.positions.weight, model.embeddings.positions.weight
    assert len(ours) == max(512, after)
    assert torch.equal(ours[:512], theirs[:512])


def test_fine_tuning_begins_with_the_pre_trained_one(pretrained: Path, noise: Dataset, tmp_path: Path) -> None:
    record = finetune(KIND, noise, recipe_of(), tmp_path / "out", pretrained)
    assert record.started_from
    assert record.config["max_items"] == 8


def test_another_vocabulary_is_another_content(pretrained: Path, noise: Dataset, tmp_path: Path) -> None:
    text = (pretrained / "model.json").read_text(encoding="utf-8")
    other = tmp_path / "pretrained"
    other.mkdir()
    (other / "model.safetensors").write_bytes((pretrained / "model.safetensors").read_bytes())
    (other / "model.json").write_text(text.replace('"words": 512', '"words": 511'), encoding="utf-8")
    with pytest.raises(ArtefactMismatch, match=r"vocabulary is .* there and .* here"):
        finetune(KIND, noise, recipe_of(), tmp_path / "out", other)


@pytest.mark.parametrize("second_epochs", [0, 2])
def test_the_second_stage_can_be_left_out(markov: Dataset, second_epochs: int) -> None:
    recipe = recipe_of()
    settings = recipe.finetune.model_copy(update={"second_epochs": second_epochs, "second_patience": 7})
    corpus = Corpus.of([markov])
    model = KIND.build(recipe.model.reading(corpus), corpus)
    stages = tuple(KIND.finetuning(model, markov, recipe.model_copy(update={"finetune": settings})))
    assert [(one.fit.epochs, one.fit.patience) for one in stages[1:]] == ([(2, 7)] if second_epochs else [])


@pytest.mark.parametrize("freeze", [True, False])
def test_fine_tuning_leaves_out_what_guesses_words(markov: Dataset, *, freeze: bool) -> None:
    recipe = recipe_of()
    recipe = recipe.model_copy(update={"finetune": recipe.finetune.model_copy(update={"freeze_words": freeze})})
    corpus = Corpus.of([markov])
    model = KIND.build(recipe.model.reading(corpus), corpus)
    tuple(KIND.finetuning(model, markov, recipe))
    still = {name.split(".")[0] for name, one in model.named_parameters() if not one.requires_grad}
    assert still == {"head"} | ({"embeddings"} if freeze else set())
    assert model.embeddings.words.weight.requires_grad != freeze
    assert model.embeddings.items.weight.requires_grad


def test_items_without_a_text_are_told_of(markov: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    silent = markov.items[0].model_copy(update={"title": "", "brand": "", "categories": ()})
    KIND.build(recipe_of().model, Corpus((replace(markov, items=(silent, *markov.items[1:])),)))
    assert "1 of 40 items have no text: each is read as one unknown word" in capsys.readouterr().err


def test_it_is_asked_a_pass_for_each_of_some_rows(markov: Dataset, tuned: Path, tmp_path: Path) -> None:
    model, record = load_teacher(tuned, markov)
    assert rows_to_ask(markov, model, 100).size == 100
    found = gather(markov, [(model, record)], tmp_path / "knowledge")
    assert found.teachers[0].rows == markov.split.train_rows(markov.interactions).size


KILLED = """
import os, signal, sys
from dataclasses import dataclass, replace
from pathlib import Path
from training.dataset import Dataset
from training.fitting import Objective
from training.teachers.recformer.kind import RecformerKind, RecformerRecipe
from training.teachers.steps import finetune

class Deadly:
    def __init__(self, objective, epoch):
        self.epoch, self.batch, self._loss, self._last = objective.epoch, objective.batch, objective.loss, epoch

    def loss(self, batch, epoch):
        if epoch == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._loss(batch, epoch)

class KilledKind(RecformerKind):
    def finetuning(self, model, dataset, recipe):
        for number, stage in enumerate(super().finetuning(model, dataset, recipe), start=1):
            deadly = number == int(sys.argv[3])
            yield replace(stage, objective=Deadly(stage.objective, int(sys.argv[4]))) if deadly else stage

recipe = RecformerRecipe.model_validate_json(sys.stdin.read())
finetune(KilledKind(), Dataset.read(Path(sys.argv[1])), recipe, Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("stage", "epoch"), [(1, 2), (2, 2)])
def test_killed_in_either_stage_it_goes_on_to_what_it_would_have_given(
    markov: Dataset, tmp_path: Path, stage: int, epoch: int
) -> None:
    recipe = recipe_of(2)
    command = [sys.executable, "-c", KILLED, str(markov.folder), str(tmp_path / "killed"), str(stage), str(epoch)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run(command, input=recipe.model_dump_json().encode(), env=environment, check=False)
    assert killed.returncode == -9
    gone_on = finetune(KIND, markov, recipe, tmp_path / "killed")
    whole = finetune(KIND, markov, recipe, tmp_path / "whole")
    assert [one.loss for one in gone_on.curve] == pytest.approx([one.loss for one in whole.curve], rel=1e-4)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("killed", "whole"))
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in second)
