"""The promises, one file each; `ALL` are judged at every turn of every node (DESIGN 9)."""

from lolraft.sim.checkers.acknowledged import Acknowledged
from lolraft.sim.checkers.busy import Busy
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.checkers.committed import Committed
from lolraft.sim.checkers.durable_commit import DurableCommit
from lolraft.sim.checkers.durable_words import DurableWords
from lolraft.sim.checkers.election_safety import ElectionSafety
from lolraft.sim.checkers.exactly_once import ExactlyOnce
from lolraft.sim.checkers.leader_append_only import LeaderAppendOnly
from lolraft.sim.checkers.leader_completeness import LeaderCompleteness
from lolraft.sim.checkers.ledger_truth import LedgerTruth
from lolraft.sim.checkers.linearizability import Linearizability
from lolraft.sim.checkers.liveness import Liveness
from lolraft.sim.checkers.log_matching import LogMatching
from lolraft.sim.checkers.objections import Objections
from lolraft.sim.checkers.one_vote import OneVote
from lolraft.sim.checkers.queues import Queues
from lolraft.sim.checkers.same_memory import SameMemory
from lolraft.sim.checkers.staleness import Staleness
from lolraft.sim.checkers.state_machine_safety import StateMachineSafety
from lolraft.sim.checkers.tickets import Tickets

ALL: tuple[type[Checker], ...] = (
    Liveness,  # The first at rest: the others look at a world that is.
    ElectionSafety,
    OneVote,
    LeaderAppendOnly,
    LogMatching,
    LeaderCompleteness,
    Committed,
    DurableCommit,
    DurableWords,
    StateMachineSafety,
    ExactlyOnce,
    SameMemory,
    Acknowledged,
    Linearizability,
    Staleness,
    LedgerTruth,
    Objections,
    Tickets,
    Queues,
    Busy,
)

__all__ = ["ALL", "Checker"]
