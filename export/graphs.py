"""A student as two ONNX graphs: `encoder.onnx` makes the user vector, `retrieval.onnx` finds the nearest items.

The third, that only some have, is in `export.reranking`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from export.errors import ExportError
from service.bundle.files import ITEM_VECTORS, RETRIEVAL
from training.two_tower import TwoTower

OPSET = 18
IR_VERSION = 10
"""The first that goes with the opset is 9; torch's exporter writes 10."""
LARGEST_FILE = 2**31 - 1


class _Encode(nn.Module):
    """`encode` as `forward`, which is what the exporter follows."""

    def __init__(self, student: TwoTower) -> None:
        super().__init__()
        self.student = student

    def forward(self, history: Tensor) -> Tensor:
        """int64[B, L] -> float[B, D]."""
        return self.student.encode(history)  # [B, D]


def write_encoder(student: TwoTower, path: Path) -> None:
    """Write history int64[B, L] -> user float32[B, D], B free.

    The example has two rows: from one, the exporter may take the batch for a constant. The result is looked at all the
    same.

    Raises:
        ExportError: the graph's batch is fixed, or the model is beyond the 2 GB that one ONNX file holds.
    """
    history = torch.ones(2, student.max_history, dtype=torch.int64)  # [2, L]
    write_traced(_Encode(student), Signature({"history": history}, (("batch",),), "user"), path)


@dataclass(frozen=True, eq=False)
class Signature:
    """What goes into a graph and what comes out."""

    examples: dict[str, Tensor]
    """By name, in the order of `forward`."""
    free: tuple[tuple[str, ...], ...]
    """For each of them the names of its first dimensions, which requests choose."""
    output: str


def write_traced(module: nn.Module, signature: Signature, path: Path) -> None:
    """Write what `forward` does.

    Raises:
        ExportError: the graph's batch is fixed, or the model is beyond the 2 GB that one ONNX file holds.
    """
    _require_one_file(module)
    model = _traced(module, signature)
    require_free_batch(model)
    _forget_origin(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _traced(module: nn.Module, signature: Signature) -> onnx.ModelProto:
    dims = {name: torch.export.Dim(name, min=1, max=4096) for names in signature.free for name in names}
    with _quiet_exporter(), torch.no_grad():  # a recurrence is traced with its gradient otherwise
        program = torch.onnx.export(
            module.eval(),
            tuple(signature.examples.values()),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(signature.examples),
            output_names=[signature.output],
            dynamic_shapes=tuple({at: dims[name] for at, name in enumerate(names)} for names in signature.free),
        )
    if program is None:
        raise ExportError("the exporter gave no graph")
    return program.model_proto


def write_retrieval(items: NDArray[np.float32], folder: Path) -> None:
    """Write user float32[B, D], n int64[1] -> scores float32[B, n], items int64[B, n], best first.

    Gemm with transB reads the item table as it lies: a MatMul behind a Transpose would be folded into a second copy of
    it. The table is external data, so that workers share its pages and no size limit of the format applies.

    Args:
        items: float32[N, D]; row k is the item with catalogue index k + 1.
        folder: of the bundle.
    """
    items.astype("<f4").tofile(folder / ITEM_VECTORS)
    nodes = [
        helper.make_node("Gemm", ["user", "item_vectors"], ["all_scores"], transB=1),
        helper.make_node("TopK", ["all_scores", "n"], ["scores", "row"], axis=1, largest=1, sorted=1),
        helper.make_node("Add", ["row", "one"], ["items"]),
    ]
    inputs = [
        helper.make_tensor_value_info("user", TensorProto.FLOAT, ["batch", items.shape[1]]),
        helper.make_tensor_value_info("n", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "kept"]),
        helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "kept"]),
    ]
    constants = [_external("item_vectors", items), helper.make_tensor("one", TensorProto.INT64, [1], [1])]
    graph = helper.make_graph(nodes, "retrieval", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    (folder / RETRIEVAL).write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(folder / RETRIEVAL)


def require_free_batch(model: onnx.ModelProto) -> None:
    """Look at the first dimension of every input and output.

    Raises:
        ExportError: one is a number, so that only batches of that size would run.
    """
    for value in (*model.graph.input, *model.graph.output):
        batch = value.type.tensor_type.shape.dim[0]
        if not batch.dim_param:
            raise ExportError(f"the exported graph fixes the batch of {value.name!r} at {batch.dim_value}")


def _external(name: str, table: NDArray[np.float32]) -> TensorProto:
    """A constant whose numbers lie in `item_vectors.bin`."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=table.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": ITEM_VECTORS, "offset": "0", "length": str(table.nbytes)}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _require_one_file(module: nn.Module) -> None:
    """Protobuf ends at 2 GB, and says so only after minutes of work."""
    size = sum(one.nbytes for one in module.state_dict().values())
    if size > LARGEST_FILE:
        raise ExportError(f"the student's {size:,} bytes do not fit one ONNX file of at most {LARGEST_FILE:,}")


def _forget_origin(model: onnx.ModelProto) -> None:
    """The exporter notes stack traces beside every node: paths of this machine, by which equal students would also get
    unequal files and versions."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide what torch's exporter says of its own insides on every run, and nothing else."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # below: operators of torchvision, which is not installed, are skipped
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec", category=FutureWarning)
            warnings.filterwarnings("ignore", message=r"# The axis name: \w+ will not be used", category=UserWarning)
            warnings.filterwarnings("ignore", message=r"_check_is_size will be removed", category=FutureWarning)
            # torch.nn.GRU keeps a second list of its parameters, which the exporter swaps and puts back
            warnings.filterwarnings(
                "ignore", message=r"The tensor attributes? self\..*\._flat_weights", category=UserWarning
            )
            yield
    finally:
        log.setLevel(level)
