"""
Why? The shortest causal chain behind what is under the cursor, from what the lab has seen.

`why(view, account, question)` is pure: of a past picture it tells what was known at that moment. It
never guesses. A link of the chain that nobody has told is said to be not known.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.observe.account import Account
from lab.observe.evidence import Case, Reason, unknown
from lab.observe.view import ClusterView
from lab.observe.why_entries import entry, lagging, newest_open
from lab.observe.why_leader import leader, no_leader
from lab.observe.why_node import node, suspicion
from lab.observe.why_refused import last_refusal, refusal
from lab.observe.words import shard_name

LAGS = 1  # Entries behind the leader, from which on a replica is asked about.


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What has the cursor; what is None is not asked about."""

    about: str  # shard, index, replica, node, link, refusal
    shard_id: int | None = None
    node: str | None = None
    link: tuple[str, str] | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was asked, and the chain: what is so first, then what it is so for."""

    title: str
    reasons: tuple[Reason, ...]


def why(view: ClusterView, account: Account, question: Question) -> Answer:
    """Return the answer to *question*, as far as *view* and the *account* of faults tell it."""
    case = Case(view, account)
    match question.about:
        case "node" if question.node is not None:
            return _answer(f"why is {question.node} as it is?", node(case, question.node))
        case "link" if question.link is not None:
            sender, receiver = question.link
            title = f"why does {receiver} think so of {sender}?"
            return _answer(title, suspicion(case, sender, receiver))
    if question.shard_id is None or question.shard_id not in view.shards:
        return _answer("why?", [unknown("nothing is selected that was ever reported")])
    return _of_shard(case, question, question.shard_id)


def _of_shard(case: Case, question: Question, shard_id: int) -> Answer:
    shard, name = case.view.shards[shard_id], shard_name(shard_id)
    refused = last_refusal(case, shard_id)
    if question.about == "refusal":
        return _answer(f"why was {name} refused?", refusal(case, shard, refused))
    if question.about == "index":
        index = newest_open(shard) if question.index is None else question.index
        if index is not None:
            word = "committed" if index <= shard.commit_index else "not committed"
            return _answer(f"why is {index:,} of {name} {word}?", entry(case, shard, index))
    if question.node is not None and question.about in ("index", "replica"):
        behind = lagging(case, shard, question.node, LAGS)
        if behind:
            return _answer(f"why is {question.node} behind in {name}?", behind)
    if shard.leader not in shard.replicas:
        reasons = no_leader(case, shard)
        if refused is not None:
            reasons += refusal(case, shard, refused)[:1]
        return _answer(f"why does nobody lead {name}?", reasons)
    return _answer(f"why does {shard.leader} lead {name}?", leader(case, shard))


def _answer(title: str, reasons: list[Reason]) -> Answer:
    return Answer(title=title, reasons=tuple(reasons))
