"""The graphs as ONNX sees them, and as onnxruntime runs them."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from export.errors import ExportError
from export.graphs import OPSET, require_free_batch, write_encoder, write_retrieval
from export.parity import OnnxStudent
from service.bundle.files import ENCODER, ITEM_VECTORS, RETRIEVAL
from training.two_tower import CausalTwoTower

LENGTH = 5


class MeanOfItems(CausalTwoTower):
    """The smallest student."""

    max_history = LENGTH

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        self.items = nn.Embedding(items + 1, width, padding_idx=0)

    def hidden(self, history: Tensor) -> Tensor:
        warnings.warn("the student has something to say", UserWarning, stacklevel=1)
        found: Tensor = self.items(history)  # [B, L, D]
        return found.cumsum(dim=1) / LENGTH  # [B, L, D]

    def item_matrix(self) -> Tensor:
        return self.items.weight  # [N+1, D]


def retrieval(items: NDArray[np.float32], folder: Path) -> onnxruntime.InferenceSession:
    write_retrieval(items, folder)
    return onnxruntime.InferenceSession(folder / RETRIEVAL, providers=["CPUExecutionProvider"])


def test_the_checker_accepts_both(bundle_folder: Path) -> None:
    for name in (ENCODER, RETRIEVAL):
        onnx.checker.check_model(bundle_folder / name, full_check=True)
        model = onnx.load(bundle_folder / name, load_external_data=False)
        assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]


def test_inputs_and_outputs_are_the_contract(bundle_folder: Path) -> None:
    found = {}
    for name in (ENCODER, RETRIEVAL):
        session = onnxruntime.InferenceSession(bundle_folder / name, providers=["CPUExecutionProvider"])
        for one in (*session.get_inputs(), *session.get_outputs()):
            found[name, one.name] = (one.type, one.shape)
    assert found == {
        (ENCODER, "history"): ("tensor(int64)", ["batch", 12]),
        (ENCODER, "user"): ("tensor(float)", ["batch", 16]),
        (RETRIEVAL, "user"): ("tensor(float)", ["batch", 16]),
        (RETRIEVAL, "n"): ("tensor(int64)", [1]),
        (RETRIEVAL, "scores"): ("tensor(float)", ["batch", "kept"]),
        (RETRIEVAL, "items"): ("tensor(int64)", ["batch", "kept"]),
    }


@pytest.mark.parametrize("batch", [1, 2, 3, 64, 5000])
def test_the_batch_is_free(graphs: OnnxStudent, student: CausalTwoTower, batch: int) -> None:
    history = np.random.default_rng(batch).integers(0, 61, (batch, 12))  # [B, L]
    user = graphs.encode(history)  # [B, D]
    assert user.shape == (batch, 16)
    with torch.no_grad():
        assert np.allclose(user, student.encode(torch.from_numpy(history)).numpy(), rtol=0, atol=1e-4)


def test_a_history_of_nothing_gives_numbers(graphs: OnnxStudent) -> None:
    user = graphs.encode(np.zeros((3, 12), np.int64))  # [3, D]
    assert bool(np.isfinite(user).all())
    assert np.array_equal(user[0], user[1])


def test_one_item_table_in_each_graph(bundle_folder: Path, student: CausalTwoTower) -> None:
    """The encoder's is what it looks items up in; retrieval's lies outside of it."""
    table = student.item_matrix().numel()
    encoder = onnx.load(bundle_folder / ENCODER)
    sizes = [numpy_helper.to_array(one).size for one in encoder.graph.initializer]
    assert sum(size >= table for size in sizes) == 1
    weights = 4 * student.parameters_count
    assert weights <= (bundle_folder / ENCODER).stat().st_size < weights + 40_000  # nodes and masks, no second table
    assert (bundle_folder / RETRIEVAL).stat().st_size < 1000


def test_item_vectors_lie_as_they_are(bundle_folder: Path, student: CausalTwoTower) -> None:
    stored = np.fromfile(bundle_folder / ITEM_VECTORS, "<f4").reshape(60, 16)  # [N, D]
    assert np.array_equal(stored, student.item_matrix().detach().numpy()[1:])


def test_equal_students_give_equal_files_without_a_trace_of_the_machine(
    bundle_folder: Path, student: CausalTwoTower, tmp_path: Path
) -> None:
    write_encoder(student, tmp_path / ENCODER)
    written = (tmp_path / ENCODER).read_bytes()
    assert written == (bundle_folder / ENCODER).read_bytes()
    assert b".py" not in written
    assert str(Path.cwd()).encode() not in written


def test_what_a_student_warns_of_is_heard(tmp_path: Path) -> None:
    """The exporter's own noise is hidden, and only that."""
    level = logging.getLogger("torch.onnx").level
    with pytest.warns(UserWarning, match="the student has something to say"):
        write_encoder(MeanOfItems(9, 4), tmp_path / ENCODER)
    assert logging.getLogger("torch.onnx").level == level


@pytest.mark.parametrize("where", ["input", "output"])
def test_a_fixed_batch_is_refused(bundle_folder: Path, where: str) -> None:
    model = onnx.load(bundle_folder / ENCODER)
    require_free_batch(model)
    (value,) = getattr(model.graph, where)
    value.type.tensor_type.shape.dim[0].dim_value = 2
    with pytest.raises(ExportError, match=f"fixes the batch of '{value.name}' at 2"):
        require_free_batch(model)


def test_a_student_beyond_one_file_is_refused_at_once(tmp_path: Path) -> None:
    with torch.device("meta"):  # 10 GB that are not there
        giant = MeanOfItems(40_000_000, 64)
    with pytest.raises(ExportError, match="10,240,000,256 bytes"):
        write_encoder(giant, tmp_path / ENCODER)
    assert list(tmp_path.iterdir()) == []


@given(seed=st.integers(0, 2**32), items=st.integers(1, 40), n=st.integers(1, 40))
def test_retrieval_is_a_full_sort(seed: int, items: int, n: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(items, 3)).astype(np.float32)  # [N, D]
    user = rng.normal(size=(2, 3)).astype(np.float32)  # [B, D]
    kept = min(n, items)
    session = retrieval(table, tmp_path_factory.mktemp("graph"))
    scores, found = session.run(["scores", "items"], {"user": user, "n": np.array([kept])})  # [B, K] each
    wanted = np.sort(user @ table.T, axis=1)[:, ::-1][:, :kept]  # [B, K]
    assert np.allclose(scores, wanted, rtol=0, atol=1e-5)
    assert np.allclose(np.take_along_axis(user @ table.T, found - 1, axis=1), scores, rtol=0, atol=1e-5)
    assert all(len(set(row)) == kept for row in found.tolist())


def test_of_equal_scores_the_lower_index_comes_first(tmp_path: Path) -> None:
    session = retrieval(np.ones((7, 2), np.float32), tmp_path)
    found = session.run(["items"], {"user": np.ones((1, 2), np.float32), "n": np.array([4])})[0]
    assert found.tolist() == [[1, 2, 3, 4]]
