from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.teachers.augmentation import DroppedItems
from training.teachers.unim2rec.domains import AllDomainPreference, DomainEmbedding

WIDTH, LONGEST = 4, 7
HISTORY = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=LONGEST)
"""(domain, present) of each place"""


@pytest.fixture(scope="module")
def encoder() -> CausalEncoder:
    torch.manual_seed(0)
    made = CausalEncoder(CausalEncoderConfig(width=WIDTH, inner=8, layers=1, max_history=LONGEST)).double()
    for one in made.parameters():
        torch.nn.init.normal_(one, std=0.5)
    return made.eval()


@pytest.fixture(scope="module")
def preference() -> AllDomainPreference:
    made = AllDomainPreference(WIDTH).double()
    torch.nn.init.normal_(made.gate)
    return made


def vectors_of(*shape: int) -> Tensor:
    return torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def by_hand(encoder: CausalEncoder, gate: Tensor, vectors: Tensor, domains: list[int]) -> Tensor:
    """The docstring's definition for one whole history, nothing missing in it: float[D]."""
    elsewhere = sorted(set(domains) - {domains[-1]})
    states = []
    for one in elsewhere:
        own = vectors[[place for place, domain in enumerate(domains) if domain == one]]
        states.append(encoder(own[None], torch.ones(1, len(own), dtype=torch.bool))[0, -1])
    mean = torch.stack(states).mean(dim=0) if states else torch.zeros(WIDTH, dtype=torch.float64)
    return torch.tanh(gate) * mean


@given(st.lists(HISTORY, min_size=1, max_size=4))
def test_it_is_the_definition_at_every_place(
    encoder: CausalEncoder, preference: AllDomainPreference, batch: list[list[tuple[int, bool]]]
) -> None:
    length = max(map(len, batch))
    padded = [[(0, False)] * (length - len(line)) + line for line in batch]
    domain = torch.tensor([[one for one, _ in line] for line in padded])
    present = torch.tensor([[known for _, known in line] for line in padded])
    vectors = vectors_of(len(batch), length)
    found = preference(encoder, vectors, present, domain)
    for line, (known, places) in enumerate(zip(present, DroppedItems(present).last_kept(), strict=True)):
        for end, place in enumerate(places.tolist()):
            kept = known[: end + 1].nonzero()[:, 0]
            if not kept.numel():
                assert not found[line, end].any()
                continue
            wanted = by_hand(encoder, preference.gate, vectors[line, kept], domain[line, kept].tolist())
            assert torch.allclose(found[line, place], wanted, atol=1e-10)


def test_histories_of_one_domain_cost_nothing(encoder: CausalEncoder, preference: AllDomainPreference) -> None:
    passes: list[int] = []

    def counted(vectors: Tensor, present: Tensor) -> Tensor:
        passes.append(len(vectors))
        states: Tensor = encoder(vectors, present)
        return states

    domain = torch.tensor([[1, 1, 1], [0, 2, 2], [2, 2, 2]])
    present = torch.tensor([[False, True, True], [False, True, True], [True, True, True]])
    assert not preference(counted, vectors_of(3, 3), present, domain).any()
    assert passes == []
    present[1, 0] = True
    found = preference(counted, vectors_of(3, 3), present, domain)
    assert passes == [1, 1]  # two domains, in one history
    assert found[1, 1].all()
    assert not found[[0, 2]].any()
    assert not found[1, 0].any()


def test_training_begins_without_it_and_the_gate_learns(encoder: CausalEncoder) -> None:
    fresh = AllDomainPreference(WIDTH).double()
    domain, present = torch.tensor([[0, 1, 2]]), torch.ones(1, 3, dtype=torch.bool)
    found = fresh(encoder, vectors_of(1, 3), present, domain)
    assert not found.any()
    (gradient,) = torch.autograd.grad(found.sum(), fresh.gate)
    assert gradient.all()


def test_a_domain_keeps_its_vector_and_a_new_one_starts_at_the_mean() -> None:
    learnt = DomainEmbedding(("books", "games", "toys"), WIDTH)
    torch.nn.init.normal_(learnt.vectors)
    target = DomainEmbedding(("toys", "shoes"), WIDTH)
    target.adopt(learnt)
    assert torch.equal(target.vectors[0], learnt.vectors[2])
    assert torch.allclose(target.vectors[1], learnt.vectors.mean(dim=0))
    assert target.vectors.requires_grad


def test_a_fresh_domain_vector_changes_nothing() -> None:
    assert not DomainEmbedding(("a", "b"), WIDTH)(torch.tensor([[0, 1]])).any()
