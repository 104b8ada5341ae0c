"""A promise that was broken."""

from __future__ import annotations


class Violation(Exception):
    """The product, or the simulator, is wrong: *promise* names what, the text says how."""

    def __init__(self, promise: str, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise
