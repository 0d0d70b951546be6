"""A student as two ONNX graphs: `encoder.onnx` makes the user vector, `retrieval.onnx` finds the nearest items."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from export.errors import ExportError
from service.bundle.files import ITEM_VECTORS
from training.two_tower import TwoTower

OPSET = 18


class _Encode(nn.Module):
    """`encode` as `forward`, which is what the exporter follows."""

    def __init__(self, student: TwoTower) -> None:
        super().__init__()
        self.student = student

    def forward(self, history: Tensor) -> Tensor:
        """int64[B, L] -> float[B, D]."""
        return self.student.encode(history)  # [B, D]


def write_encoder(student: TwoTower, path: Path) -> None:
    """history int64[B, L] -> user float32[B, D], B free.

    The example has two rows: from one, the exporter may take the batch for a constant. The result is looked at all the same.

    Raises:
        ExportError: the graph's batch is fixed.
    """
    example = torch.ones(2, student.max_history, dtype=torch.int64)  # [2, L]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            _Encode(student).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["history"],
            output_names=["user"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
        )
    if program is None:
        raise ExportError("the exporter gave no graph")
    model = program.model_proto
    _require_free_batch(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_retrieval(items: NDArray[np.float32], folder: Path, name: str) -> None:
    """user float32[B, D], n int64[1] -> scores float32[B, n], items int64[B, n], best first.

    Gemm with transB reads the item table as it lies: a MatMul behind a Transpose would be folded into a second copy of it. The
    table is external data, so that workers share its pages and no size limit of the format applies.

    Args:
        items: float32[N, D]; row k is the item with catalogue index k + 1.
        folder: of the bundle.
        name: of the graph's file.
    """
    items.astype("<f4").tofile(folder / ITEM_VECTORS)
    table = TensorProto(name="item_vectors", data_type=TensorProto.FLOAT, dims=items.shape)
    table.data_location = TensorProto.EXTERNAL
    for key, value in {"location": ITEM_VECTORS, "offset": "0", "length": str(items.nbytes)}.items():
        table.external_data.add(key=key, value=value)
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Gemm", ["user", "item_vectors"], ["all_scores"], transB=1),
        helper.make_node("TopK", ["all_scores", "n"], ["scores", "row"], axis=1, largest=1, sorted=1),
        helper.make_node("Add", ["row", "one"], ["items"]),
    ]
    graph = helper.make_graph(
        nodes,
        "retrieval",
        [
            helper.make_tensor_value_info("user", TensorProto.FLOAT, ["batch", items.shape[1]]),
            helper.make_tensor_value_info("n", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "kept"]),
            helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "kept"]),
        ],
        initializer=[table, one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    (folder / name).write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(folder / name))


def _require_free_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        batch = value.type.tensor_type.shape.dim[0]
        if not batch.dim_param:
            raise ExportError(f"the exported graph fixes the batch of {value.name!r} at {batch.dim_value}")
