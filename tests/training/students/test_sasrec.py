import torch

from service.bundle import PAD
from training.causal_encoder import CausalEncoderConfig
from training.students.sasrec import SASRec, SASRecConfig

ITEMS = 12


def student(dropout: float = 0.0) -> SASRec:
    torch.manual_seed(0)
    return SASRec(
        SASRecConfig(encoder=CausalEncoderConfig(width=8, inner=16, layers=2, max_history=6, dropout=dropout)), ITEMS
    )


def test_there_is_one_vector_per_item_and_none_for_pad() -> None:
    model = student()
    assert model.item_matrix().shape == (ITEMS + 1, 8)
    assert not model.item_matrix()[PAD].any()
    assert bool(model.item_matrix()[PAD + 1 :].any(dim=1).all())


def test_pad_learns_nothing_from_being_read() -> None:
    model = student()
    norm = model.encode(torch.tensor([[0, 0, 0, 0, 3, 7]])).square().sum()
    (gradient,) = torch.autograd.grad(norm, model.items.weight)
    assert not gradient[PAD].any()
    assert bool(gradient[[3, 7]].any(dim=1).all())


def test_one_table_is_read_as_input_and_as_output() -> None:
    model = student()
    assert model.item_matrix() is model.items.weight
    encoder = sum(one.numel() for one in model.encoder.parameters())
    assert model.parameters_count == (ITEMS + 1) * 8 + encoder
