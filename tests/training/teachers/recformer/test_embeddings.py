import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.teachers.recformer.embeddings import SentenceEmbeddings, stretched
from training.teachers.recformer.sentences import TokenBatch


def test_it_is_the_normalised_sum_of_four_tables() -> None:
    torch.manual_seed(0)
    embeddings = SentenceEmbeddings(nn.Embedding(9, 4), torch.randn(5, 4), nn.LayerNorm(4), max_items=3)
    batch = TokenBatch(torch.tensor([[0, 7, 8]]), torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 3]]))
    found = embeddings(batch)
    for place, (token, kind, item) in enumerate([(0, 0, 0), (7, 1, 1), (8, 2, 3)]):
        summed = (
            embeddings.words.weight[token]
            + embeddings.positions.weight[place]
            + embeddings.types.weight[kind]
            + embeddings.items.weight[item]
        )
        assert torch.allclose(found[0, place], embeddings.norm(summed), atol=1e-6)


@given(st.integers(1, 6), st.integers(1, 20))
def test_stretched_positions_repeat_the_first_ones(rows: int, wanted: int) -> None:
    table = torch.arange(rows * 2.0).view(rows, 2)
    found = stretched(table, wanted)
    assert len(found) == max(rows, wanted)
    assert all(torch.equal(one, table[place % rows]) for place, one in enumerate(found))
