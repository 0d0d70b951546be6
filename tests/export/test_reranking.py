"""A student that scores pairs: its graph, the proof of it, and the way to the answer over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import uvicorn
from numpy.typing import NDArray
from torch import nn

from export.errors import ExportError, ParityBroken
from export.graphs import write_encoder, write_retrieval
from export.histories import GOLDEN, proof_histories
from export.parity import TOLERANCE, TOP, OnnxStudent
from export.publish import publish_student
from export.reranking import OnnxReranker, prove_reranking, require_free_candidates, write_reranker
from service.app import create_app
from service.bundle import PAD, ModelBundle, history_window
from service.bundle.files import ENCODER, RERANK
from service.embedded_redis import embedded_redis
from service.settings import Settings
from training.artefacts import read_record
from training.dataset import Dataset
from training.evaluation.metrics import summary
from training.evaluation.ranking import ranks_by_protocol
from training.evaluation.repeat_offset import repeat_aware
from training.evaluation.scoring import scorer_of
from training.reranker import CANDIDATES
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FMConfig
from training.students.item_fields import item_fields
from training.two_tower import CausalTwoTower

LENGTH = 12
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@pytest.fixture(scope="module")
def deepfm(dataset: Dataset) -> DeepFM:
    """Of random weights, so large that the deep part overrules the FM."""
    torch.manual_seed(3)
    sizes = DeepFMConfig(fm=FMConfig(width=6, max_history=LENGTH, init_std=0.4), inner=32, layers=2)
    student = DeepFM(sizes, item_fields(dataset)).eval()
    last = student.rest[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=3)
    return student


@pytest.fixture(scope="module")
def deep_folder(deepfm: DeepFM, dataset: Dataset, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    folder = tmp_path_factory.mktemp("deepfm") / "bundle"
    record = read_record(run).model_copy(update={"name": "deepfm", "parameters": deepfm.parameters_count})
    publish_student(deepfm, record, dataset, folder)
    return folder


@pytest.fixture(scope="module")
def reranker(deep_folder: Path) -> OnnxReranker:
    return OnnxReranker.load(deep_folder)


@pytest.fixture(scope="module")
def histories(dataset: Dataset) -> Ints:
    return proof_histories(dataset, LENGTH)[:150]


def test_inputs_and_outputs_are_the_contract(deep_folder: Path) -> None:
    onnx.checker.check_model(deep_folder / RERANK, full_check=True)
    session = onnxruntime.InferenceSession(deep_folder / RERANK, providers=["CPUExecutionProvider"])
    assert [(one.name, one.type, one.shape) for one in (*session.get_inputs(), *session.get_outputs())] == [
        ("history", "tensor(int64)", ["batch", LENGTH]),
        ("candidates", "tensor(int64)", ["batch", "candidates"]),
        ("scores", "tensor(float)", ["batch", "candidates"]),
    ]


@pytest.mark.parametrize("batch", [1, 2, 3, 64])
@pytest.mark.parametrize("offered", [1, 2, 200, 777])
def test_batch_and_candidates_are_free(reranker: OnnxReranker, deepfm: DeepFM, batch: int, offered: int) -> None:
    rng = np.random.default_rng(batch)
    history, candidates = rng.integers(0, 61, (batch, LENGTH)), rng.integers(PAD, 61, (batch, offered))
    with torch.no_grad():
        wanted = deepfm.rerank(torch.from_numpy(history), torch.from_numpy(candidates)).numpy()  # [B, C]
    assert np.allclose(reranker.score(history, candidates), wanted, rtol=0, atol=TOLERANCE)


def test_it_holds_the_weights_once_and_no_trace_of_the_machine(deepfm: DeepFM, deep_folder: Path) -> None:
    written = (deep_folder / RERANK).read_bytes()
    of_items = deepfm.fm.category_of.nbytes + deepfm.fm.brand_of.nbytes
    assert len(written) < 4 * deepfm.parameters_count + of_items + 80_000
    assert b".py" not in written


def test_equal_students_give_equal_files(deepfm: DeepFM, deep_folder: Path, tmp_path: Path) -> None:
    write_reranker(deepfm, tmp_path / RERANK)
    assert (tmp_path / RERANK).read_bytes() == (deep_folder / RERANK).read_bytes()


@pytest.mark.parametrize("name", ["candidates", "scores"])
def test_a_fixed_number_of_candidates_is_refused(deep_folder: Path, name: str) -> None:
    model = onnx.load(deep_folder / RERANK)
    require_free_candidates(model)
    (value,) = [one for one in (*model.graph.input, *model.graph.output) if one.name == name]
    value.type.tensor_type.shape.dim[1].dim_value = 200
    with pytest.raises(ExportError, match=f"fixes the candidates of '{name}' at 200"):
        require_free_candidates(model)


@dataclass(frozen=True, eq=False)
class Answers(OnnxReranker):
    """The real graph, its answers changed on the way out."""

    change: Callable[[Floats, Ints], Floats]

    def score(self, history: Ints, candidates: Ints) -> Floats:
        return self.change(super().score(history, candidates), candidates)


@pytest.mark.parametrize(
    "change",
    [
        lambda scores, candidates: scores + np.float32(1e-3) * (candidates == 60),  # one item
        lambda scores, candidates: scores + np.float32(1e-3) * (len(scores) == 32),  # one size of batch
        lambda scores, candidates: np.where(candidates == 37, np.float32(np.nan), scores),
        lambda scores, candidates: scores[:, ::-1],
    ],
)
def test_other_scores_are_found(
    deepfm: DeepFM, deep_folder: Path, reranker: OnnxReranker, histories: Ints, change: Callable[[Floats, Ints], Floats]
) -> None:
    graphs = (OnnxStudent.load(deep_folder), Answers(reranker.session, change))
    with pytest.raises(ParityBroken, match=r"rerank\.onnx differs from the student by up to"):
        prove_reranking(deepfm, graphs, histories)


def test_a_student_of_no_numbers_is_refused(
    deepfm: DeepFM, deep_folder: Path, reranker: OnnxReranker, histories: Ints
) -> None:
    broken = deepcopy(deepfm)
    nn.init.constant_(broken.first.bias, torch.nan)
    with pytest.raises(ParityBroken):
        prove_reranking(broken, (OnnxStudent.load(deep_folder), reranker), histories)


def test_the_manifest_says_what_it_is(deep_folder: Path, deepfm: DeepFM, dataset: Dataset) -> None:
    bundle = ModelBundle.read(deep_folder)
    info = bundle.manifest.reranker
    assert info is not None
    assert info.candidates == CANDIDATES
    assert info.max_abs_diff <= TOLERANCE
    assert info.recall == 1  # the candidates are all 60 items
    ranks = ranks_by_protocol(scorer_of(deepfm), dataset.interactions, dataset.split.test)
    aware = repeat_aware(scorer_of(deepfm), dataset)
    metrics = {protocol: summary(found) for protocol, found in ranks.items()} | {"repeat_aware": summary(aware.ranks)}
    assert bundle.manifest.offline_metrics == metrics
    assert bundle.manifest.repeat_offset == aware.offset
    assert bundle.manifest.offline_metrics != ranks_by_the_fm(deepfm, dataset)


def ranks_by_the_fm(deepfm: DeepFM, dataset: Dataset) -> dict[str, dict[str, float]]:
    ranks = ranks_by_protocol(scorer_of(deepfm.fm), dataset.interactions, dataset.split.test)
    return {protocol: summary(found) for protocol, found in ranks.items()}


def test_golden_scores_are_the_student_s_for_retrieval_s_items(deep_folder: Path, deepfm: DeepFM) -> None:
    golden = ModelBundle.read(deep_folder).golden
    assert golden.reranked is not None
    assert golden.reranked.shape == (GOLDEN, TOP)
    with torch.no_grad():
        wanted = deepfm.rerank(torch.from_numpy(golden.history), torch.from_numpy(golden.items)).numpy()
    assert np.allclose(golden.reranked, wanted, rtol=0, atol=TOLERANCE)


def test_a_student_without_pairs_has_no_such_file(bundle: ModelBundle) -> None:
    assert bundle.manifest.reranker is None
    assert bundle.golden.reranked is None
    assert not (bundle.folder / RERANK).exists()


@pytest.fixture(scope="module")
def client(deep_folder: Path) -> Iterator[httpx.Client]:
    """A real service over the bundle."""
    with embedded_redis(32) as url:
        app = create_app(Settings(bundle=deep_folder, redis_url=url, redis_timeout_ms=2000))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as running:
            yield running
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_over_http_the_list_is_the_student_s_own(
    client: httpx.Client, deep_folder: Path, deepfm: DeepFM, dataset: Dataset, *, exclude_seen: bool
) -> None:
    """Computed in torch, item by item of the whole catalogue; retrieval alone would give other lists."""
    rng, otherwise = np.random.default_rng(5), 0
    offset = ModelBundle.read(deep_folder).manifest.repeat_offset
    assert offset is not None
    for size in (1, 2, 5, 12, 30):
        chosen = rng.integers(1, 61, size)  # [H]
        history = torch.from_numpy(history_window(chosen, LENGTH))[None]  # [1, L]
        with torch.no_grad():
            own = deepfm.rerank(history, torch.arange(1, 61)[None])[0].numpy()  # [N]
            plain = (deepfm.encode(history) @ deepfm.item_matrix()[1:].T)[0].numpy()  # [N]
        own[np.unique(chosen) - 1] += np.float32(offset)
        wanted, by_fm = (best(scores, chosen if exclude_seen else chosen[:0]) for scores in (own, plain))
        body = {"history": [dataset.catalog.item_id(int(one)) for one in chosen], "n": 10, "exclude_seen": exclude_seen}
        answer = client.post("/recommend", json=body)
        items = answer.json()["items"]
        assert [one["item_id"] for one in items] == [dataset.catalog.item_id(one) for one in wanted]
        assert np.allclose([one["score"] for one in items], own[np.array(wanted) - 1], rtol=0, atol=TOLERANCE)
        assert "rerank;dur=" in answer.headers["Server-Timing"]
        otherwise += wanted != by_fm
    assert otherwise >= 4


def best(scores: Floats, seen: Ints) -> list[int]:
    """The ten best catalogue indices but those seen."""
    order = (np.argsort(-scores, kind="stable") + 1).tolist()
    return [one for one in order if one not in set(seen.tolist())][:10]


class Contrary(CausalTwoTower):
    """Scores pairs by the opposite of what its two towers say."""

    max_history = LENGTH

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(items + 1, 8, padding_idx=PAD)

    def hidden(self, history: torch.Tensor) -> torch.Tensor:
        return self.items(history).cumsum(dim=1) / LENGTH  # type: ignore[no-any-return]

    def item_matrix(self) -> torch.Tensor:
        return self.items.weight

    def rerank(self, history: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = -(self.items(candidates) @ self.encode(history)[:, :, None]).squeeze(2)  # [B, C]
        return found

    def catalogue_scores(self, history: torch.Tensor) -> torch.Tensor:
        return -(self.encode(history) @ self.item_matrix().T)  # [B, N+1]


@pytest.mark.parametrize(("items", "wanted"), [(CANDIDATES, 1.0), (CANDIDATES + 10, 0.5), (CANDIDATES + 20, 0.0)])
def test_what_retrieval_loses_is_told(items: int, wanted: float, tmp_path: Path) -> None:
    """Of the own top 20, which are retrieval's last 20, the candidates hold all, ten, none."""
    torch.manual_seed(0)
    student = Contrary(items).eval()
    write_encoder(student, tmp_path / ENCODER)
    write_retrieval(student.item_matrix().detach().numpy()[PAD + 1 :], tmp_path)
    write_reranker(student, tmp_path / RERANK)
    histories = np.random.default_rng(0).integers(1, items + 1, (40, LENGTH))
    found = prove_reranking(student, (OnnxStudent.load(tmp_path), OnnxReranker.load(tmp_path)), histories)
    assert found.recall == pytest.approx(wanted)
