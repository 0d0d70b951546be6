"""The learned gate: weights of the teachers from what they say and from the row, without a label (equation 8).

It is fitted on rows held out from the teachers, where they are as right or wrong as they will be in earnest: a teacher
knows its own train rows too well. What it sees there are labels of those rows only, and where it is used it sees none.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from training.config import Config, ConfigError

_LEAST = -18.4
"""ln 1e-8: a label that a teacher thinks impossible must not be all that is fitted."""
_OWN, _SHARED = 3, 3
FEATURES = 2 * _OWN + _SHARED
"""F: what is said of a teacher, the same of all teachers on the mean, and what is said of the row."""


class LearnedGateConfig(Config):
    """Size of the gate, and how it is fitted."""

    hidden: int = Field(default=16, ge=1)
    """H: width of the one hidden layer."""
    steps: int = Field(default=300, ge=1)
    """At most so many steps of Adam, each over all rows."""
    patience: int = Field(default=30, ge=1)
    """Stop when so many steps in a row are no better on the part that is not fitted."""
    learning_rate: float = Field(default=1e-2, gt=0)
    """Of Adam."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled from the gradient."""
    stopping_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows that is not fitted, but says when to stop."""
    seed: int = Field(default=0, ge=0)
    """Draws the first weights and the rows to stop by."""


@dataclass(frozen=True, eq=False)
class RowFacts:
    """What is known of R rows themselves."""

    length: Tensor
    """[R] number of items in the history"""
    popularity: Tensor
    """[R] train interactions of its last item; 0 where there is none"""


def gate_features(log_p: Tensor, consistency: Tensor, present: Tensor, facts: RowFacts) -> Tensor:
    """What the gate looks at.

    Per teacher: entropy in nats, ln of its largest probability, and consistency. Then the means of these three over the
    teachers that scored the row, so that one is seen beside the others. Per row: ln(1 + length), ln(1 + popularity of
    the last item), and the share of the teachers that is missing.

    Args:
        log_p: at T = 1, float[M, R, C]; -inf where a candidate is masked.
        consistency: b, float[M, R] (equation 4): 1 less the mean divergence from the others.
        present: bool[M, R], which teachers scored the row.
        facts: of the R rows.

    Returns:
        float[M, R, F]; all 0 where a teacher is absent.
    """
    entropy = torch.special.entr(log_p.exp()).sum(dim=-1)  # [M, R]
    own = torch.stack([entropy, log_p.amax(dim=-1), consistency], dim=-1)  # [M, R, 3]
    heard = present[..., None]  # [M, R, 1]
    means = torch.where(heard, own, 0.0).sum(dim=0) / heard.sum(dim=0).clamp(min=1)  # [R, 3]
    missing = 1 - present.to(own.dtype).mean(dim=0)  # [R]
    row = torch.stack([facts.length.to(own).log1p(), facts.popularity.to(own).log1p(), missing], dim=-1)  # [R, 3]
    shared = torch.cat([means, row], dim=-1).expand(own.shape[0], -1, -1)  # [M, R, 6]
    return torch.where(heard, torch.cat([own, shared], dim=-1), 0.0)  # [M, R, F]


class LearnedGate(nn.Module):
    """w_i = softmax over the present teachers of one small network's word on each of them.

    The network is the same for all teachers; which one it looks at enters as a vector that is learnt from 0. So the
    order of the teachers does not matter, not even to the fit, and yet each can earn trust of its own. Its last layer
    begins at 0: an unfitted gate is the plain mean.
    """

    mean: Tensor
    """[F] of the features where it was fitted"""
    spread: Tensor
    """[F] their standard deviation"""

    def __init__(self, teachers: int, hidden: int) -> None:
        """M teachers, H units; the first weights come from torch's own generator."""
        super().__init__()
        self.first = nn.Linear(FEATURES, hidden)
        self.identity = nn.Parameter(torch.zeros(teachers, hidden))  # [M, H]
        self.trust = nn.Parameter(torch.zeros(teachers))  # [M]
        self.last = nn.Linear(hidden, 1, bias=False)
        nn.init.zeros_(self.last.weight)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """ln w: float[M, R, F], bool[M, R] -> float[M, R]; -inf where a teacher is absent."""
        standard = (features - self.mean) / self.spread  # [M, R, F]
        hidden = torch.nn.functional.gelu(self.first(standard) + self.identity[:, None])  # [M, R, H]
        logits: Tensor = self.last(hidden).squeeze(-1) + self.trust[:, None]  # [M, R]
        log_w = logits.masked_fill(~present, -torch.inf).log_softmax(dim=0)  # [M, R]: NaN where nobody is
        return log_w.masked_fill(~present, -torch.inf)  # [M, R]

    def weights(self, features: Tensor, present: Tensor) -> Tensor:
        """w, float[M, R]: sums to 1 over the teachers, all 0 where no teacher scored the row; no gradient."""
        with torch.no_grad():
            log_w: Tensor = self(features, present)  # [M, R]
        return log_w.exp()  # [M, R]

    def standardise_by(self, features: Tensor, present: Tensor) -> None:
        """Take mean and spread of the features float[M, R, F] of present teachers; one that never varies counts 0."""
        seen = features[present]  # [P, F]
        self.mean.copy_(seen.mean(dim=0))
        spread = seen.std(dim=0, unbiased=False)  # [F]
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))


def gate_nll(log_weights: Tensor, log_likelihood: Tensor) -> Tensor:
    """-mean over rows of ln sum_m w^m_i p^m_i(y_i).

    Args:
        log_weights: ln w, float[M, R]; somebody must be present in each row.
        log_likelihood: ln p^m_i(y_i), float[M, R].

    Returns:
        Scalar.
    """
    return -(log_weights + log_likelihood.clamp(min=_LEAST)).logsumexp(dim=0).mean()  # []


def fit_gate(features: Tensor, log_likelihood: Tensor, present: Tensor, config: LearnedGateConfig) -> LearnedGate:
    """Fit a gate to held-out rows: maximise sum_i ln sum_m w^m_i p^m_i(y_i).

    Full-batch Adam; a part of the rows is not fitted and says which step was the best. The start, the plain mean, is
    among the steps: on that part the gate is never worse than the plain mean. Equal arguments make equal gates.

    Args:
        features: float[M, R, F].
        log_likelihood: ln p^m_i(y_i) at T = 1, float[M, R]; anything finite where a teacher is absent.
        present: bool[M, R]; rows that no teacher scored are left out.
        config: size and fit.

    Raises:
        ConfigError: fewer than two rows have a teacher.
    """
    some = present.any(dim=0)  # [R]
    if int(some.sum()) < 2:
        raise ConfigError(f"a gate is fitted on rows that a teacher scored: {int(some.sum())} are here, 2 at least")
    rows = _Rows(features[:, some], log_likelihood[:, some], present[:, some])
    source = torch.Generator().manual_seed(config.seed)
    order = torch.randperm(int(some.sum()), generator=source).to(features.device)  # [R']
    stopping = min(max(1, round(config.stopping_share * order.numel())), order.numel() - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        gate = LearnedGate(features.shape[0], config.hidden).to(features)
    return _descend(gate, rows.at(order[stopping:]), rows.at(order[:stopping]), config)


@dataclass(frozen=True, eq=False)
class _Rows:
    features: Tensor
    """float[M, R, F]"""
    log_likelihood: Tensor
    """float[M, R]"""
    present: Tensor
    """bool[M, R]"""

    def at(self, which: Tensor) -> _Rows:
        return _Rows(self.features[:, which], self.log_likelihood[:, which], self.present[:, which])

    def nll(self, gate: LearnedGate) -> Tensor:
        return gate_nll(gate(self.features, self.present), self.log_likelihood)  # []


def _descend(gate: LearnedGate, fitted: _Rows, stopping: _Rows, config: LearnedGateConfig) -> LearnedGate:
    gate.standardise_by(fitted.features, fitted.present)
    optimiser = torch.optim.AdamW(gate.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    best, best_state, best_step = _value(gate, stopping), copy.deepcopy(gate.state_dict()), 0
    for step in range(1, config.steps + 1):
        optimiser.zero_grad()
        fitted.nll(gate).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        value = _value(gate, stopping)
        if value < best:
            best, best_state, best_step = value, copy.deepcopy(gate.state_dict()), step
        elif step - best_step >= config.patience:
            break
    gate.load_state_dict(best_state)
    return gate.eval()


def _value(gate: LearnedGate, rows: _Rows) -> float:
    with torch.no_grad():
        return rows.nll(gate).item()
