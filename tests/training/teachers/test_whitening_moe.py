import pytest
import torch
from torch import nn

from training.teachers.whitening_moe import ParametricWhitening, WhiteningMoE


@pytest.fixture
def adaptor() -> WhiteningMoE:
    torch.manual_seed(0)
    return WhiteningMoE(width_in=6, width_out=4, experts=3, dropout=0.2)


VECTORS = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))


def test_an_expert_shifts_first_and_has_no_bias_behind_it() -> None:
    expert = ParametricWhitening(6, 4, dropout=0.0)
    nn.init.normal_(expert.shift)
    assert not expert(expert.shift[None]).any()
    assert torch.allclose(expert(VECTORS), (VECTORS - expert.shift) @ expert.map.weight.T)


def test_training_begins_with_every_expert_equally_heard(adaptor: WhiteningMoE) -> None:
    adaptor.eval()
    mean = torch.stack([expert(VECTORS) for expert in adaptor.experts]).mean(dim=0)
    assert torch.allclose(adaptor(VECTORS), mean, atol=1e-7)


def test_the_gate_chooses(adaptor: WhiteningMoE) -> None:
    adaptor.eval()
    with torch.no_grad():
        adaptor.gate[:, 1] = 1e4 * VECTORS[0]
    assert torch.allclose(adaptor(VECTORS[:1]), adaptor.experts[1](VECTORS[:1]))


def test_noise_and_dropout_are_for_training_only(adaptor: WhiteningMoE) -> None:
    assert not torch.equal(adaptor(VECTORS), adaptor(VECTORS))
    adaptor.eval()
    nn.init.normal_(adaptor.noise)
    assert torch.equal(adaptor(VECTORS), adaptor(VECTORS))


def test_the_noise_itself_moves_the_gate(adaptor: WhiteningMoE) -> None:
    still = WhiteningMoE(6, 4, experts=3, dropout=0.0)
    assert not torch.equal(still(VECTORS), still(VECTORS))
    alone = WhiteningMoE(6, 4, experts=1, dropout=0.0)  # softmax over one expert is 1, whatever the noise
    assert torch.equal(alone(VECTORS), alone(VECTORS))


def test_the_noise_can_be_left_out() -> None:
    quiet = WhiteningMoE(6, 4, experts=3, dropout=0.0)
    nn.init.normal_(quiet.gate)
    quiet.noisy = False
    found = quiet(VECTORS)
    assert torch.equal(found, quiet.eval()(VECTORS))


def test_every_parameter_learns(adaptor: WhiteningMoE) -> None:
    adaptor(VECTORS).square().sum().backward()
    for name, one in adaptor.named_parameters():
        assert one.grad is not None, name
        assert one.grad.any(), name


def test_no_vectors_give_no_vectors(adaptor: WhiteningMoE) -> None:
    assert adaptor(VECTORS[:0]).shape == (0, 4)
