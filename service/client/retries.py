"""Whether a call that failed is sent again, and when. No input, no output: both clients ask here."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Generic

import httpx

from .calls import AnswerT, Call
from .errors import CallFailed, NoAnswer, TooManyRequests, Unavailable, UnknownAnswer, rejection

Outcome = httpx.Response | httpx.TransportError
PASSING = (NoAnswer, TooManyRequests, Unavailable)
"""What may be over in a moment."""


@dataclass(frozen=True)
class Retries:
    """How stubborn a client is. Only calls that may be done twice are sent again."""

    tries: int = 3
    """How often a call is sent, at most; 1: never again."""
    first_pause_seconds: float = 0.1
    """Before the second try; twice as long before each further one, less up to half of it by chance, so that callers
    that failed together do not come back together. Where the service says `Retry-After`, no less than that."""
    longest_pause_seconds: float = 2.0
    """When the service asks for a longer pause, the call fails at once and whoever called may decide."""

    def __post_init__(self) -> None:
        """Raises ValueError when nothing would ever be sent, or pauses are none."""
        if self.tries < 1 or self.first_pause_seconds < 0 or self.longest_pause_seconds < 0:
            raise ValueError("tries must be 1 or more, pauses 0 or more")


@dataclass(frozen=True)
class Done(Generic[AnswerT]):
    """There is an answer."""

    answer: AnswerT


@dataclass(frozen=True)
class Again:
    """Send it again, after so many seconds."""

    seconds: float


def judge(call: Call[AnswerT], outcome: Outcome, tried: int, retries: Retries) -> Done[AnswerT] | Again:
    """What follows from the outcome of the `tried`-th try, counted from 1.

    Raises:
        CallFailed: it is final.
    """
    if isinstance(outcome, httpx.Response) and outcome.is_success:
        return Done(_read(call, outcome))
    error = _failure(outcome)
    pause = _pause(error, tried, retries)
    may_pass = call.is_idempotent and tried < retries.tries and isinstance(error, PASSING)
    if may_pass and pause <= retries.longest_pause_seconds:
        return Again(pause)
    raise error from (None if isinstance(outcome, httpx.Response) else outcome)


def _read(call: Call[AnswerT], response: httpx.Response) -> AnswerT:
    try:
        return call.read(response.content)
    except ValueError as error:  # pydantic's ValidationError and UnicodeDecodeError are both
        raise UnknownAnswer(f"{call.method} {call.path}: {error}") from error


def _failure(outcome: Outcome) -> CallFailed:
    if isinstance(outcome, httpx.Response):
        return rejection(outcome)
    return NoAnswer(f"{type(outcome).__name__}: {outcome}")


def _pause(error: CallFailed, tried: int, retries: Retries) -> float:
    own = retries.first_pause_seconds * 2.0 ** (tried - 1) * random.uniform(0.5, 1)  # noqa: S311 no secret
    asked = error.retry_after if isinstance(error, TooManyRequests | Unavailable) else None
    return max(own, asked or 0)
