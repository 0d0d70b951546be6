"""The laws of a teacher. A new one inherits them all by naming itself:

    class TestMine(TeacherConformance):
        kind = MyKind()
        recipe = MyRecipe(...)      # small: a few epochs of fine-tuning that learn a chain of 60 items

Everything is done as the command line does it, on data made here. Two cores need some ten seconds for a small teacher.
"""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from training.artefacts import (
    RECORD,
    WEIGHTS,
    ArtefactCorrupt,
    ArtefactMismatch,
    ArtefactMissing,
    load_weights,
    read_record,
)
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.evaluation.selection import evenly, validation_ndcg
from training.fitting import STATE
from training.knowledge import TeacherKnowledge, gather
from training.sequences import sequences_at
from training.teachers.base import CausalTeacher, Teacher
from training.teachers.corpus import Corpus
from training.teachers.kind import TeacherConfig, TeacherKind, TeacherRecipe
from training.teachers.steps import finetune, load_teacher, pretrain
from training.testing.kills import Killed, WatchedKind, mortal
from training.testing.small_data import BARE, ITEMS, SmallData, histories, of_another_encoder
from training.vector_memory import TeacherMemory

NEAR = 2e-5
"""Numbers of unit vectors that differ by less were summed in another order."""
HALF = 2e-3
"""In float16 each number is off by 2^-11 at most, a cosine by little more."""
BY_CHANCE = sum(1 / math.log2(1 + rank) for rank in range(1, 11)) / ITEMS
"""NDCG@10 of a guess."""
_ROWS = 300
"""Train rows that a teacher with a pass for each of them is asked for."""


class TeacherConformance:
    """Inherit, and set `kind` and `recipe`."""

    kind: ClassVar[TeacherKind[Any, Any, Any]]
    recipe: ClassVar[TeacherRecipe]
    """Small. Two epochs of fine-tuning at least."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> SmallData:
        """Two data sets to learn from first, and the target."""
        return SmallData.prepare(tmp_path_factory.mktemp("data"))

    @pytest.fixture(scope="class")
    @classmethod
    def pretrained(cls, data: SmallData, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder of a teacher that learnt from two data sets."""
        out = tmp_path_factory.mktemp("pretrained") / cls.kind.name
        pretrain(cls.kind, data.sources, cls.recipe, out)
        return out

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, data: SmallData, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder of a teacher that was fitted to the target, from nothing."""
        out = tmp_path_factory.mktemp("fitted") / cls.kind.name
        finetune(cls.kind, data.target, cls.recipe, out)
        return out

    @pytest.fixture(scope="class")
    @classmethod
    def teacher(cls, data: SmallData, fitted: Path) -> Teacher:
        """That teacher, read back."""
        return cls.read(data, fitted)

    @classmethod
    def read(cls, data: SmallData, folder: Path) -> Teacher:
        """A teacher of the target out of its folder."""
        return load_teacher(folder, data.target, {cls.kind.name: cls.kind})[0]

    # what a teacher says

    def test_vectors_have_length_1_and_the_shapes_that_were_promised(self, teacher: Teacher) -> None:
        users, items = encode(teacher, histories(teacher)), item_matrix(teacher)
        assert users.shape == (len(histories(teacher)), items.shape[1])
        assert items.shape[0] == ITEMS + 1
        for vectors in (users, items[1:]):
            assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)), atol=1e-4)
        assert teacher.temperature > 0

    def test_left_padding_changes_nothing(self, teacher: Teacher) -> None:
        for history in histories(teacher):
            known = history[history != 0]
            assert torch.allclose(encode(teacher, known[None])[0], encode(teacher, history[None])[0], atol=NEAR)

    def test_a_batch_says_what_each_of_it_says_alone(self, teacher: Teacher) -> None:
        given = histories(teacher)
        alone = torch.cat([encode(teacher, history[None]) for history in given])
        assert torch.allclose(encode(teacher, given), alone, atol=NEAR)
        prepared = teacher.prepared()
        with torch.no_grad():
            assert torch.allclose(prepared(given), alone, atol=NEAR)

    def test_a_prefix_has_in_a_longer_history_the_vector_that_it_has_alone(self, teacher: Teacher) -> None:
        if not isinstance(teacher, CausalTeacher):
            pytest.skip("no causal teacher: it makes a pass for each history")
        given = histories(teacher)
        with torch.no_grad():
            hidden = teacher.hidden(given)  # [B, L, D]
        for place in range(given.shape[1]):
            some = given[:, place] != 0  # [B]
            alone = encode(teacher, given[some, : place + 1])
            assert torch.allclose(hidden[some, place], alone, atol=NEAR)

    def test_every_item_is_more_than_padding(self, teacher: Teacher) -> None:
        """An item that no training saw, or of which nothing is said, is still something that somebody met."""
        before = torch.full((ITEMS, 1), 1)
        after = torch.cat([before, torch.arange(1, ITEMS + 1)[:, None]], dim=1)
        moved = (encode(teacher, after) - encode(teacher, before)).norm(dim=1)
        assert (moved[1:] > 1e-4).all(), f"items {(1 + (moved <= 1e-4).nonzero()[:, 0]).tolist()} change nothing"

    def test_items_of_which_nothing_is_said_have_vectors(self, teacher: Teacher) -> None:
        items, users = item_matrix(teacher), encode(teacher, torch.tensor([[0, item] for item in BARE]))
        for vectors in (items[list(BARE)], users):
            assert bool(vectors.isfinite().all())
            assert torch.allclose(vectors.norm(dim=1), torch.ones(len(BARE)), atol=1e-4)

    def test_an_empty_history_has_a_vector_without_a_nan(self, teacher: Teacher) -> None:
        assert bool(encode(teacher, torch.zeros(1, 3, dtype=torch.int64)).isfinite().all())

    # what it learns

    def test_it_learns_what_can_be_known(self, data: SmallData, teacher: Teacher) -> None:
        """The next item is known with probability .9: whoever guesses has no third of what this teacher must have."""
        target = data.target
        ranks = target_ranks(TwoTowerScorer.of(teacher), target.interactions, target.split.test, "unmasked")
        assert ndcg(ranks, 10) > 3 * BY_CHANCE

    def test_what_was_saved_is_the_best_epoch(self, data: SmallData, teacher: Teacher, fitted: Path) -> None:
        record, some = read_record(fitted), self.recipe.finetune.validation_users
        best = record.curve[record.best_epoch - 1].validation
        assert best == max(point.validation for point in record.curve)
        rows = evenly(data.target.split.validation, some)
        found = validation_ndcg(teacher, data.target, rows, self.recipe.finetune.select_on)
        assert found == pytest.approx(best, abs=1e-3)
        assert not list(fitted.rglob(STATE))

    def test_the_same_seed_gives_the_same_weights(self, data: SmallData, fitted: Path, tmp_path: Path) -> None:
        again = finetune(self.kind, data.target, self.recipe, tmp_path / "again")
        assert again.weights_sha256 == read_record(fitted).weights_sha256
        other = finetune(self.kind, data.target, self.recipe.seeded(1), tmp_path / "other")
        assert other.weights_sha256 != again.weights_sha256

    def test_a_teacher_read_twice_says_the_same(self, data: SmallData, teacher: Teacher, fitted: Path) -> None:
        again = self.read(data, fitted)
        assert torch.equal(encode(again, histories(again)), encode(teacher, histories(teacher)))
        assert torch.equal(item_matrix(again), item_matrix(teacher))

    def test_what_was_learnt_elsewhere_is_carried_over(
        self, data: SmallData, pretrained: Path, fitted: Path, tmp_path: Path
    ) -> None:
        record = finetune(self.kind, data.target, self.recipe, tmp_path / "out", pretrained)
        assert record.started_from == read_record(pretrained).weights_sha256
        assert record.weights_sha256 != read_record(fitted).weights_sha256
        assert self.read(data, tmp_path / "out").name == self.kind.name

    def test_adopting_changes_a_fresh_model_to_what_was_learnt(self, data: SmallData, pretrained: Path) -> None:
        before = self.model_of(pretrained, Corpus.of(data.sources))
        corpus = Corpus.of([data.target])
        torch.manual_seed(99)
        sizes: TeacherConfig = self.kind.tuned(self.recipe.model, self.kind.config_of(before))
        model: Teacher = self.kind.build(sizes.reading(corpus), corpus)
        fresh = {name: one.clone() for name, one in model.state_dict().items()}
        self.kind.adopt(model, before, self.recipe)
        changed = [name for name, one in model.state_dict().items() if not torch.equal(one, fresh[name])]
        learnt = before.state_dict()
        assert changed
        assert any(name in learnt and torch.equal(model.state_dict()[name], learnt[name]) for name in changed)

    def model_of(self, folder: Path, corpus: Corpus) -> Teacher:
        """The model of a folder over some content."""
        record = read_record(folder)
        model: Teacher = self.kind.build(type(self.recipe.model).model_validate(record.config), corpus)
        load_weights(folder, record, model)
        return model.eval()

    # what is refused, and what goes on

    def test_a_truncated_checkpoint_is_refused(
        self, data: SmallData, fitted: Path, pretrained: Path, tmp_path: Path
    ) -> None:
        for source in (fitted, pretrained):
            folder = shutil.copytree(source, tmp_path / source.name / source.parent.name)
            whole = (folder / WEIGHTS).read_bytes()
            (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
            use = self.read if source == fitted else self.go_on
            with pytest.raises(ArtefactCorrupt, match=re.escape(str(folder))):
                use(data, folder)
            assert not list(tmp_path.rglob(STATE))  # it is known before any work

    def go_on(self, data: SmallData, folder: Path) -> None:
        """Begin with a pre-trained teacher."""
        finetune(self.kind, data.target, self.recipe, folder.parent / "out", folder)

    def test_a_folder_without_weights_or_without_a_record_is_refused(
        self, data: SmallData, fitted: Path, tmp_path: Path
    ) -> None:
        for name in (WEIGHTS, RECORD):
            folder = shutil.copytree(fitted, tmp_path / name)
            (folder / name).unlink()
            with pytest.raises(ArtefactMissing, match=re.escape(str(folder))):
                self.read(data, folder)

    def test_a_teacher_of_another_catalogue_is_refused(self, data: SmallData, fitted: Path) -> None:
        with pytest.raises(ArtefactMismatch, match=re.escape(str(fitted))):
            load_teacher(fitted, data.sources[0], {self.kind.name: self.kind})

    def test_vectors_of_another_encoder_are_refused_or_not_read(
        self, data: SmallData, teacher: Teacher, fitted: Path
    ) -> None:
        other = of_another_encoder(data.target)
        if "text_encoder" in type(self.recipe.model).content_fields:
            with pytest.raises(ArtefactMismatch, match=re.escape(str(fitted))):
                load_teacher(fitted, other, {self.kind.name: self.kind})
            return
        found, _ = load_teacher(fitted, other, {self.kind.name: self.kind})
        assert torch.equal(item_matrix(found), item_matrix(teacher))

    def test_fine_tuning_goes_on_where_it_was_killed(self, data: SmallData, fitted: Path, tmp_path: Path) -> None:
        with pytest.raises(Killed):
            finetune(WatchedKind(self.kind, dies_in=2), data.target, self.recipe, tmp_path)
        torch.randn(99)  # another process has another random state
        resumed = WatchedKind(self.kind)
        found, wanted = finetune(resumed, data.target, self.recipe, tmp_path), read_record(fitted)
        assert min(resumed.epochs) == 2  # what was done is not done again
        assert [point.loss for point in found.curve] == [point.loss for point in wanted.curve]
        assert found.weights_sha256 == wanted.weights_sha256

    # what it leaves behind

    def test_what_is_gathered_is_what_it_says(
        self, data: SmallData, teacher: Teacher, fitted: Path, tmp_path: Path
    ) -> None:
        target = data.target
        gather(target, [(teacher, read_record(fitted))], tmp_path, rows=_ROWS)
        (memory,) = TeacherKnowledge.read(tmp_path, target).teachers
        assert isinstance(memory, TeacherMemory)
        position = memory.row - target.interactions.offsets[target.interactions.user[memory.row]]
        cut = isinstance(teacher, CausalTeacher)  # rows far on are then read from the middle of a window
        whole = memory.row[position <= teacher.max_history] if cut else memory.row
        assert whole.size >= _ROWS / 2
        said = encode(teacher, torch.tensor(sequences_at(target.interactions, whole, teacher.max_history).history))
        users, present = memory.users_at(whole)
        assert bool(present.all())
        assert torch.allclose(users @ memory.items.T, said @ item_matrix(teacher).T, atol=HALF)
        every = target.split.train_rows(target.interactions)
        if isinstance(teacher, CausalTeacher):
            assert np.array_equal(memory.row, every)
        else:
            assert memory.row.size == _ROWS
            assert np.isin(memory.row, every).all()

    def test_gathering_goes_on_where_it_was_killed(
        self, data: SmallData, teacher: Teacher, fitted: Path, tmp_path: Path
    ) -> None:
        record = read_record(fitted)
        whole = gather(data.target, [(teacher, record)], tmp_path / "whole", rows=_ROWS)
        dying = mortal(teacher, dies_in=2)
        with pytest.raises(Killed):
            gather(data.target, [(dying, record)], tmp_path / "killed", rows=_ROWS, save_seconds=0)
        found = gather(data.target, [(teacher, record)], tmp_path / "killed", rows=_ROWS)
        assert found.teachers[0].sha256 == whole.teachers[0].sha256


def encode(teacher: Teacher, history: Tensor) -> Tensor:
    """float[B, D], without gradients."""
    with torch.no_grad():
        return teacher.encode(history)


def item_matrix(teacher: Teacher) -> Tensor:
    """float[N+1, D], without gradients."""
    with torch.no_grad():
        return teacher.item_matrix()
