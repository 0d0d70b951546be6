import torch
from torch import Tensor, nn

from training.two_tower import CausalTwoTower


class CountingTower(CausalTwoTower):
    """The user vector is how many items have been met so far."""

    max_history = 4

    def __init__(self) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.ones(6, 1))

    def hidden(self, history: Tensor) -> Tensor:
        return (history != 0).cumsum(dim=1)[..., None].float()

    def item_matrix(self) -> Tensor:
        return self.items


def test_the_user_vector_is_the_state_after_the_newest_item() -> None:
    histories = torch.tensor([[0, 0, 1, 2], [0, 0, 0, 0], [1, 2, 3, 4]])
    assert CountingTower().encode(histories).tolist() == [[2], [0], [4]]


def test_parameters_are_counted_as_numbers() -> None:
    assert CountingTower().parameters_count == 6
