"""The step itself: a trained student becomes a bundle, or nothing is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.graphs import OPSET, write_encoder, write_retrieval
from export.histories import GOLDEN, proof_histories
from export.parity import TOLERANCE, TOP, OnnxStudent, Parity, prove_parity
from export.pictures import Pictures, pack_pictures
from export.reranking import OnnxReranker, prove_reranking, write_reranker
from service.bundle import PAD, BundleDraft, Golden, Manifest, ModelBundle, PackedStrings, seal
from service.bundle.files import CARDS, ENCODER, MANIFEST, POPULAR, RERANK
from service.bundle.files import GOLDEN as GOLDEN_FILE
from service.bundle.manifest import (
    CatalogInfo,
    DataInfo,
    EncoderInfo,
    ParityInfo,
    RerankerInfo,
    RetrievalInfo,
    StudentInfo,
    TeacherInfo,
)
from training.artefacts import ModelRecord, read_record
from training.dataset import Dataset
from training.distillation.distill import load_student
from training.evaluation.baselines import Popularity
from training.evaluation.metrics import summary
from training.evaluation.ranking import ranks_by_protocol
from training.evaluation.repeat_offset import repeat_aware
from training.evaluation.scoring import scorer_of
from training.reranker import Reranker
from training.two_tower import TwoTower


@dataclass(frozen=True)
class Published:
    """What was written."""

    manifest: Manifest
    pictures: Pictures


def publish(run: Path, data: Path | None, bundle: Path, *, pictures: bool = True) -> Published:
    """Export a student, trained on the data set in `data` (None: where it lay when the student was trained).

    All files are written aside and read back with proof; only then does the folder get its name. A bundle that was
    there before is replaced; until then it is left as it is.

    Args:
        run: folder of the student.
        data: folder of the prepared data set, whose pictures lie in it.
        bundle: the folder to write.
        pictures: take along those that the data set has of its items.

    Raises:
        ArtefactError: `run` holds no student, or not one of this data set.
        DataError: the data set is not there, or not whole.
        ExportError: `bundle` cannot be written, or holds something else than a bundle.
        ParityBroken: the graphs are not the student.
    """
    _require_replaceable(bundle.resolve())
    dataset = Dataset.read(data or run / read_record(run).data_folder)
    student, record = load_student(run, dataset)
    return publish_student(student.served(), record, dataset, bundle, pictures=pictures)


def publish_student(
    student: TwoTower, record: ModelRecord, dataset: Dataset, bundle: Path, *, pictures: bool = True
) -> Published:
    """The same of a student in memory, in evaluation mode; `record` says how it was made.

    Raises:
        ExportError: `bundle` cannot be written, or holds something else than a bundle.
        ParityBroken: the graphs are not the student.
        SplitImpossible: nobody to measure on, or fewer than two users to fit the offset on.
    """
    bundle = bundle.resolve()
    _require_replaceable(bundle)
    with _aside(bundle) as aside:
        _write_files(student, dataset, aside)
        packed = pack_pictures(dataset, aside) if pictures else Pictures()
        manifest = seal(aside, _draft(student, record, dataset, aside))
        ModelBundle.read(aside)
        take_the_place_of(bundle, aside)
    return Published(manifest, packed)


def _require_replaceable(bundle: Path) -> None:
    """What is replaced is deleted: a slip of the pen must not cost a folder of something else."""
    if bundle.exists() and not (bundle / MANIFEST).is_file() and not (bundle.is_dir() and not any(bundle.iterdir())):
        raise ExportError(f"{bundle} is there and is no bundle: it is left as it is")


@contextmanager
def _aside(bundle: Path) -> Iterator[Path]:
    """A folder beside the bundle's, so that a rename suffices; what is in it at the end is dropped."""
    try:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{bundle.name}-", dir=bundle.parent))
    except OSError as error:
        raise ExportError(f"{bundle} cannot be written: {error.strerror}") from error
    try:
        aside.chmod(0o755)  # mkdtemp's 0700 would lock a service out that runs as another user
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_files(student: TwoTower, dataset: Dataset, folder: Path) -> None:
    dataset.catalog.write(folder)
    PackedStrings.pack(item.card().to_json() for item in dataset.items).write(folder, CARDS)
    count = Popularity.fit(dataset.interactions, dataset.split, len(dataset.catalog)).count[PAD + 1 :]  # [N]
    np.save(folder / POPULAR, (np.argsort(-count, kind="stable") + 1).astype(np.int32))
    write_encoder(student, folder / ENCODER)
    write_retrieval(student.item_matrix().detach().numpy()[PAD + 1 :], folder)
    if isinstance(student, Reranker):
        write_reranker(student, folder / RERANK)


def _draft(student: TwoTower, record: ModelRecord, dataset: Dataset, folder: Path) -> BundleDraft:
    histories = proof_histories(dataset, student.max_history)  # [H, L]
    graphs = OnnxStudent.load(folder)
    parity = prove_parity(student, graphs, histories)
    reranker, reranking = _proven_reranker(student, graphs, histories, folder)
    _write_golden((graphs, reranker), histories[:GOLDEN], len(dataset.catalog), folder)
    metrics, repeat_offset = _measured(student, dataset)
    width = student.item_matrix().shape[1]
    return BundleDraft(
        created_at=datetime.now(UTC),
        catalog=CatalogInfo(size=len(dataset.catalog), fingerprint=dataset.catalog.fingerprint),
        encoder=EncoderInfo(max_history=student.max_history, width=width, opset=OPSET),
        retrieval=RetrievalInfo(recall=parity.top_overlap),
        student=_student_info(record),
        teachers=tuple(TeacherInfo(name=one.name, fingerprint=one.fingerprint) for one in record.teachers),
        data=DataInfo(
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            split=dataset.split.name,
            split_fingerprint=dataset.split.fingerprint,
        ),
        offline_metrics=metrics,
        parity=_parity_info(parity),
        reranker=reranking,
        repeat_offset=repeat_offset,
    )


def _measured(student: TwoTower, dataset: Dataset) -> tuple[dict[str, dict[str, float]], float]:
    """Where the test users' targets rank, and the offset on what was seen, which no test user had a part in."""
    scorer = scorer_of(student)
    ranks = ranks_by_protocol(scorer, dataset.interactions, dataset.split.test)
    aware = repeat_aware(scorer, dataset)
    metrics: dict[str, dict[str, float]] = {protocol: summary(found) for protocol, found in ranks.items()}
    return metrics | {"repeat_aware": summary(aware.ranks)}, aware.offset


def _proven_reranker(
    student: TwoTower, graphs: OnnxStudent, histories: NDArray[np.int64], folder: Path
) -> tuple[OnnxReranker | None, RerankerInfo | None]:
    if not isinstance(student, Reranker):
        return None, None
    reranker = OnnxReranker.load(folder)
    return reranker, prove_reranking(student, (graphs, reranker), histories)


def _student_info(record: ModelRecord) -> StudentInfo:
    return StudentInfo(
        name=record.name,
        row=record.row,
        parameters=record.parameters,
        config=record.config,
        config_hash=record.config_hash,
        seed=record.seed,
    )


def _parity_info(parity: Parity) -> ParityInfo:
    return ParityInfo(
        histories=parity.histories,
        max_abs_diff=parity.max_abs_diff,
        tolerance=TOLERANCE,
        top_n_overlap=parity.top_overlap,
    )


def _write_golden(
    graphs: tuple[OnnxStudent, OnnxReranker | None], histories: NDArray[np.int64], items: int, folder: Path
) -> None:
    two_towers, reranker = graphs
    user = two_towers.encode(histories)  # [G, D]
    scores, chosen = two_towers.top(user, min(TOP, items))  # [G, K] each
    reranked = None if reranker is None else reranker.score(histories, chosen)  # [G, K]
    Golden(histories, user, chosen, scores, reranked).write(folder / GOLDEN_FILE)


def take_the_place_of(bundle: Path, aside: Path) -> None:
    """Two renames: a reader finds the old bundle, for an instant none, then the new one; never half of one.

    Raises:
        OSError: the new one cannot be moved; the old one is where it was.
    """
    if not bundle.exists():
        aside.rename(bundle)
        return
    with tempfile.TemporaryDirectory(prefix=f".{bundle.name}-old-", dir=bundle.parent) as folder:
        old = bundle.rename(Path(folder) / bundle.name)
        try:
            aside.rename(bundle)
        except OSError:
            old.rename(bundle)
            raise
