import torch
from torch import Tensor

from training.teachers.base import CausalTeacher


class LongVectors(CausalTeacher):
    """Vectors of any length: the base has to bring them to length 1."""

    name = "long vectors"
    max_history = 3
    temperature = 0.1

    made = 0

    def raw_item_matrix(self) -> Tensor:
        self.made += 1
        return torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 9.0]])

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        return torch.nn.functional.embedding(history, items).cumsum(dim=1)


def test_scores_are_cosines() -> None:
    teacher = LongVectors()
    user = teacher.encode(torch.tensor([[0, 1, 2]]))
    raw = torch.tensor([[3.0, 13.0]])
    assert torch.allclose(
        user @ teacher.item_matrix()[1:].T, torch.cosine_similarity(raw, teacher.raw_item_matrix()[1:])
    )


def test_an_empty_vector_stays_empty_and_finite() -> None:
    assert torch.equal(LongVectors().item_matrix()[0], torch.zeros(2))


def test_many_batches_need_one_item_matrix() -> None:
    teacher = LongVectors()
    hidden = teacher.prepared_hidden()
    batches = [torch.tensor([[0, 1, 2]]), torch.tensor([[2, 2, 1], [0, 0, 1]])]
    found = [hidden(history) for history in batches]
    assert teacher.made == 1
    assert all(torch.equal(one, teacher.hidden(history)) for one, history in zip(found, batches, strict=True))
