"""Phi as an instrument: what another threshold would have made of the silences that were seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.faults import Fault, FaultKind
from lab.observe.account import Account, Span
from lab.observe.detection import wait_s
from lab.observe.evidence import OUT
from lab.observe.history import SILENCES_S, Pair, PhiHistory, Silence
from lab.observe.words import counted, span_s

LOWEST, HIGHEST = 1.0, 30.0  # Thresholds that can be tried.


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a threshold would have found, from the reports of *over_s* seconds."""

    threshold: float
    detected_s: tuple[float, ...] = ()  # Of each fall: from its last sign of life on.
    unnoticed: int = 0  # Falls that were over before.
    false_alarms: int = 0  # Of senders that were neither down, paused nor cut off.
    over_s: float = 0.0

    def __str__(self) -> str:
        """Return `detected in 1.1 s, 3 false alarms in the last 10 min`."""
        falls = len(self.detected_s)
        found = "nothing fell silent"
        if falls:
            found = f"detected in {max(self.detected_s):.2f} s"
            found += f" at most ({falls} falls)" * (falls > 1)
        if self.unnoticed:
            missed = f"{counted(self.unnoticed, 'fall')} not noticed"
            found = f"{found}, {missed}" if falls else missed
        alarms = (
            counted(self.false_alarms, "false alarm") if self.false_alarms else "no false alarm"
        )
        return f"{found}, {alarms} in the last {span_s(self.over_s)}"


def trial(
    phi: PhiHistory, account: Account, now_s: float, threshold: float, pair: Pair | None = None
) -> Trial:
    """
    Return what *threshold* would have made of the silences of *pair*, or of all pairs.

    A sender is detected when its silence outlasts the wait that the receiver's rhythm of that time
    gives (`wait_s`). Silences are known from reports, four a second: a shorter alarm between two of
    them is not seen, so false alarms are those that were seen.
    """
    detected: list[float] = []
    unnoticed = false_alarms = 0
    pairs = list(phi.since) if pair is None else [pair]
    for one in pairs:
        for silence in phi.silences.get(one, ()):
            if silence.until_s < now_s - SILENCES_S:
                continue
            wait = wait_s(silence.mean_s, silence.deviation_s, threshold)
            noticed, meant = silence.lasted_s >= wait, is_a_fall(silence, one, account)
            if meant and noticed:
                detected.append(wait)
            elif meant:
                unnoticed += 1
            elif noticed:
                false_alarms += 1
    begun_s = min((phi.since[one] for one in pairs if one in phi.since), default=now_s)
    return Trial(
        threshold=threshold,
        detected_s=tuple(detected),
        unnoticed=unnoticed,
        false_alarms=false_alarms,
        over_s=min(SILENCES_S, now_s - begun_s),
    )


def is_a_fall(silence: Silence, pair: Pair, account: Account) -> bool:
    """Return whether the sender was down, paused or cut off, or the receiver itself was out."""
    if silence.down:
        return True
    during = (span for span in account.spans if _overlap(silence, span))
    return any(_silences(span.fault, *pair) for span in during)


def _overlap(silence: Silence, span: Span) -> bool:
    ended_s = float("inf") if span.until_s is None else span.until_s
    return span.fault.since_s <= silence.until_s and ended_s >= silence.from_s


def _silences(fault: Fault, sender: str, receiver: str) -> bool:
    if fault.kind in OUT:
        return fault.nodes[0] in (sender, receiver)
    cuts = fault.cuts or fault.kind is FaultKind.FLAP
    return cuts and (sender, receiver) in fault.links


def stepped(threshold: float, step: int) -> float:
    """Return the next whole threshold above or below, within what makes sense."""
    whole = round(threshold) if math.isfinite(threshold) else HIGHEST
    return min(HIGHEST, max(LOWEST, whole + step))
