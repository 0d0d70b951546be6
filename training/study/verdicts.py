"""The study's criteria of success, and whether what was measured meets them.

They were set before it began, but for the first, which says whether there was anything to gain (decision 28).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.config import Config
from training.evaluation.ranking import Masking
from training.study.comparisons import (
    BASE,
    BROKEN,
    BROKEN_BUT_GATED,
    BROKEN_MEAN,
    CONTROLS,
    FULL,
    MAIN_METRIC,
    PLAIN_MEAN,
    SINGLES,
    TO_CLEAR,
    Difference,
)
from training.study.findings import ENSEMBLE
from training.study.groups import GroupGain
from training.study.significance import Estimate, Share

WANTED_SHARE = 0.6
WANTED_NEARNESS = 0.1
MOST_LIKE_PUBLISHED = "sasrec"
"""The student for which shares and published figures are asked."""


class Verdict(Config):
    """One criterion for one student under one protocol."""

    student: str
    protocol: Masking
    text: str
    holds: bool | None
    """None: not measured, or not measurable."""
    figures: str
    """What it rests on, in words and numbers."""


@dataclass(frozen=True)
class Evidence:
    """What the criteria are held against, of one student under one protocol."""

    student: str
    protocol: Masking
    differences: tuple[Difference, ...]
    groups: tuple[GroupGain, ...]
    closed: Share | None
    base: float | None
    """NDCG@10 of A0, the mean over seeds."""
    published: float | None

    def difference(self, left: str, right: Sequence[str]) -> Difference | None:
        """NDCG@10 of left against the one of these that it was compared with."""
        for one in self.differences:
            if (one.protocol, one.metric, one.left) == (self.protocol, MAIN_METRIC, left) and one.right in right:
                return one
        return None


def verdicts(evidence: Evidence) -> tuple[Verdict, ...]:
    """Every criterion that is asked of this student under this protocol."""
    found = [
        _more(evidence, ENSEMBLE, (BASE,), "the teachers together (C6) know more than A0: the interval is above 0"),
        _more(evidence, FULL, (PLAIN_MEAN,), "A7 is better than A4: the interval is above 0"),
        _at_least(evidence),
        _single_over_base(evidence),
        _nowhere_worse(evidence),
        _controls(evidence),
        _shuffled(evidence),
        _broken(evidence, BROKEN, "one teacher of shuffled rows among the others (C7) does no harm"),
        _broken(evidence, BROKEN_BUT_GATED, "nor does it behind the no-harm gate (C9)"),
        _more(
            evidence, BROKEN, (BROKEN_MEAN,), "weights bear a broken teacher better than the mean does: C7 is above C10"
        ),
        _floors(evidence),
    ]
    if evidence.student == MOST_LIKE_PUBLISHED:
        found.append(_closed(evidence))
        if evidence.protocol == "unmasked":  # as published tables are
            found.append(_published(evidence))
    return tuple(found)


def sentence(estimate: Estimate, adjusted: float | None = None) -> str:
    """How a difference is written: +.0042 [+.0031, +.0053], Holm p = .001."""
    text = f"{signed(estimate.estimate)} [{signed(estimate.low)}, {signed(estimate.high)}]"
    return text if adjusted is None else f"{text}, Holm p {p_value(adjusted)}"


def signed(value: float) -> str:
    """A difference with its sign and four decimals; one that rounds to nothing has no sign."""
    text = f"{abs(value):.4f}".removeprefix("0")
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def p_value(p: float) -> str:
    """Three decimals, and no claim of less."""
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("= 0.", "= .")


def _verdict(evidence: Evidence, text: str, holds: bool | None, figures: str) -> Verdict:  # noqa: FBT001
    return Verdict(
        student=evidence.student, protocol=evidence.protocol, text=text, holds=holds, figures=figures or "not measured"
    )


def _pair(one: Difference) -> str:
    return f"{one.left} − {one.right}: {sentence(one, one.holm_p)}"


def _more(evidence: Evidence, left: str, right: Sequence[str], text: str) -> Verdict:
    one = evidence.difference(left, right)
    return _verdict(evidence, text, None if one is None else one.above_zero, "" if one is None else _pair(one))


def _at_least(evidence: Evidence) -> Verdict:
    one = evidence.difference(PLAIN_MEAN, SINGLES)
    text = "A4 is no worse than the best single teacher: the mean difference is not negative"
    return _verdict(evidence, text, None if one is None else one.estimate >= 0, "" if one is None else _pair(one))


def _single_over_base(evidence: Evidence) -> Verdict:
    measured = [found for name in SINGLES if (found := evidence.difference(name, (BASE,))) is not None]
    text = "the best single teacher is better than A0: the interval is above 0"
    if not measured:
        return _verdict(evidence, text, None, "")
    best = max(measured, key=lambda one: one.estimate)  # over the same A0: the highest gain is the highest row
    return _verdict(evidence, text, best.above_zero, _pair(best))


def _nowhere_worse(evidence: Evidence) -> Verdict:
    """On average, and in no group of users surely."""
    text = "A7 is nowhere worse than A0: not on average, and no group of users has an interval below 0"
    overall = evidence.difference(FULL, (BASE,))
    if overall is None:
        return _verdict(evidence, text, None, "")
    told = [
        (group, group.gain)
        for group in evidence.groups
        if (group.row, group.protocol) == (FULL, evidence.protocol) and group.gain is not None
    ]
    figures = _pair(overall)
    if told:
        worst, gain = min(told, key=lambda pair: pair[1].high)
        figures += f"; weakest group ({worst.grouping} {worst.group}, {worst.users} users): {sentence(gain)}"
    holds = overall.estimate >= 0 and not any(gain.below_zero for _, gain in told)
    return _verdict(evidence, text, holds, figures)


def _controls(evidence: Evidence) -> Verdict:
    """False as soon as one control is not beaten; True only when all are there and beaten."""
    found = {control: evidence.difference(FULL, (control,)) for control in CONTROLS}
    missing = [name for name, one in found.items() if one is None]
    there = [one for one in found.values() if one is not None]
    holds = False if any(not one.above_zero for one in there) else None if missing else True
    figures = [_pair(one) for one in there] + ([f"not measured: {', '.join(missing)}"] if missing else [])
    text = "A7 is better than every control (C1 to C5): each interval is above 0"
    return _verdict(evidence, text, holds, "; ".join(figures))


def _shuffled(evidence: Evidence) -> Verdict:
    one = evidence.difference("C3", (BASE,))
    text = "teachers with shuffled rows (C3) add nothing to A0: the interval is not above 0"
    return _verdict(evidence, text, None if one is None else not one.above_zero, "" if one is None else _pair(one))


def _broken(evidence: Evidence, row: str, text: str) -> Verdict:
    one = evidence.difference(row, (BASE,))
    text = f"{text}: not below A0 on average"
    return _verdict(evidence, text, None if one is None else one.estimate >= 0, "" if one is None else _pair(one))


def _floors(evidence: Evidence) -> Verdict:
    """None as long as one of them is not measured."""
    found = [evidence.difference(FULL, (floor,)) for floor in TO_CLEAR]
    there = [one for one in found if one is not None]
    holds = all(one.above_zero for one in there) if len(there) == len(TO_CLEAR) else None
    text = "A7 clears item-kNN and the last-item Markov chain: each interval is above 0"
    return _verdict(evidence, text, holds, "; ".join(f"{one.left} − {one.right}: {sentence(one)}" for one in there))


def _closed(evidence: Evidence) -> Verdict:
    text = f"A7 closes at least {WANTED_SHARE:.0%} of the gap from A0 to the teachers' ensemble (C6)"
    share = evidence.closed
    if share is None:
        return _verdict(evidence, text, None, "no share: A0, A7 or C6 is not measured, or C6 is not surely above A0")
    figures = f"{share.share:.0%} [{share.low:.0%}, {share.high:.0%}]"
    return _verdict(evidence, text, share.share >= WANTED_SHARE, figures)


def _published(evidence: Evidence) -> Verdict:
    text = f"A0 is within {WANTED_NEARNESS:.0%} of the published SASRec of the same data and split (NDCG@10)"
    if evidence.published is None:
        return _verdict(evidence, text, None, "no published figure of the same data and split was given")
    if evidence.base is None:
        return _verdict(evidence, text, None, "")
    off = evidence.base / evidence.published - 1
    figures = f"A0 {evidence.base:.4f}, published {evidence.published:.4f}: {off:+.1%}"
    return _verdict(evidence, text, abs(off) <= WANTED_NEARNESS, figures)
