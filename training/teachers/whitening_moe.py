"""UniSRec's item adaptor: parametric whitening experts behind a noisy gate (Hou et al., KDD 2022, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.dropout import Dropout


class ParametricWhitening(nn.Module):
    """z = W (dropout(x) - b): a learned shift and a learned linear map, without a bias behind it (equation 1)."""

    def __init__(self, width_in: int, width_out: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.shift = nn.Parameter(torch.zeros(width_in))
        self.map = nn.Linear(width_in, width_out, bias=False)
        nn.init.normal_(self.map.weight, std=0.02)

    def forward(self, vectors: Tensor) -> Tensor:
        """float[N, F] -> float[N, D]."""
        out: Tensor = self.map(self.dropout(vectors) - self.shift)  # [N, D]
        return out


class WhiteningMoE(nn.Module):
    """v = sum_e g_e PW_e(x) over all experts (equations 2 and 3).

    g = softmax(x W_g + eps * (softplus(x W_n) + 0.01)), eps ~ N(0, 1) in training and 0 otherwise; W_g and W_n start at
    0, so that training begins with every expert equally heard.
    """

    noisy: bool = True
    """False: eps is 0 in training, too."""

    def __init__(self, width_in: int, width_out: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.experts = nn.ModuleList(ParametricWhitening(width_in, width_out, dropout) for _ in range(experts))
        self.gate = nn.Parameter(torch.zeros(width_in, experts))
        self.noise = nn.Parameter(torch.zeros(width_in, experts))

    def forward(self, vectors: Tensor) -> Tensor:
        """float[N, F] -> float[N, D]."""
        weights = self._weights(vectors)  # [N, E]
        out: Tensor = weights[:, :1] * self.experts[0](vectors)  # [N, D]
        for number, expert in enumerate(self.experts[1:], start=1):
            out = out + weights[:, number : number + 1] * expert(vectors)  # [N, D]
        return out

    def _weights(self, vectors: Tensor) -> Tensor:
        logits = vectors @ self.gate  # [N, E]
        if self.training and self.noisy:
            deviation = nn.functional.softplus(vectors @ self.noise) + 1e-2  # [N, E]
            logits = logits + torch.randn_like(logits) * deviation  # [N, E]
        return logits.softmax(dim=-1)  # [N, E]
