"""Errors by blame: the app's answer, the caller's mistake, the cluster's state."""

from __future__ import annotations


class LolraftError(Exception):
    """Base of everything that this package raises on purpose."""


class Rejected(LolraftError):
    """
    Raised by an app: the request is refused, the state unchanged, the answer remembered (S11).

    It reaches the client as status ABORTED with this text; every other exception of an app stops
    the replica at that entry.
    """


class ConfigError(LolraftError):
    """A setting, argument or address makes no sense; the text says which and what would."""


class RequestFailed(LolraftError):
    """
    A request to the cluster ended without an answer of the app.

    `code` is the gRPC status name; `outcome_known` is False where a write may have been executed,
    or may still be: only one with a `request_id` of your own can be asked about again. OUT_OF_RANGE
    means that the session of a write has expired (§6.3): it will not be executed any more.
    """

    def __init__(self, code: str, text: str, *, outcome_known: bool = True) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.outcome_known = outcome_known
