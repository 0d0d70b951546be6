from pathlib import Path

import pytest
import torch

from training.artefacts import read_record
from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.distillation.self_teacher import SelfTeacher, load_any_teacher
from training.fitting import FitConfig
from training.knowledge import TeacherKnowledge, gather
from training.teachers.unisrec import UniSRec


@pytest.fixture(scope="module")
def alone(markov: Dataset, small_encoder: CausalEncoderConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    fit = FitConfig(epochs=3, learning_rate=1e-2, rows_per_batch=512, device="cpu")
    recipe = DistillConfig(student={"encoder": small_encoder.model_dump()}, fit=fit)
    distill(Assignment("sasrec", "A0", None), markov, recipe, out)
    return out


def test_a_student_that_teaches_says_what_it_says_itself(markov: Dataset, alone: Path, tmp_path: Path) -> None:
    gather(markov, [load_any_teacher(alone, markov)], tmp_path)
    memory = TeacherKnowledge.read(tmp_path, markov).with_vectors[0]
    student, record = load_student(alone, markov)
    assert memory.entry.name == record.name == "sasrec"
    assert memory.entry.temperature == 1
    with torch.no_grad():
        assert torch.allclose(memory.items, student.item_matrix(), atol=1e-3)
        rows = markov.split.train_rows(markov.interactions)[[0, 1]]
        history = torch.zeros(1, 8, dtype=torch.long)
        history[0, -1] = int(markov.interactions.item[rows[0] - 1])  # the first train row of a user: one item before it
        assert torch.allclose(memory.users_at(rows)[0][0], student.encode(history)[0], atol=1e-2)


def test_the_next_student_learns_from_it(markov: Dataset, alone: Path, tmp_path: Path) -> None:
    gather(markov, [load_any_teacher(alone, markov)], tmp_path / "knowledge")
    recipe = DistillConfig.model_validate(read_record(alone).recipe)
    record = distill(Assignment("sasrec", "C2", tmp_path / "knowledge"), markov, recipe, tmp_path / "next")
    assert [one.fingerprint for one in record.teachers] == [read_record(alone).weights_sha256]


def test_whichever_the_folder_holds(markov: Dataset, alone: Path, text_teacher: Path) -> None:
    assert isinstance(load_any_teacher(alone, markov)[0], SelfTeacher)
    assert isinstance(load_any_teacher(text_teacher, markov)[0], UniSRec)
