"""A key-value store: get, put, delete, compare-and-swap; messages are JSON objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lolraft.errors import Rejected
from lolraft.state_app import StateApp

HELP = (
    'a message is a JSON object such as {"op":"put","key":"a","value":"1"}, '
    '{"op":"delete","key":"a"}, {"op":"cas","key":"a","expect":"1","value":"2"}, '
    '{"op":"get","key":"a"} or {"op":"snapshot"}'
)


class KeyValueApp(StateApp):
    """
    Keep strings under strings. Every answer is a JSON object.

    Writes: put and delete answer `{"was": old or null}`; cas swaps where the value is `expect`
    (null: no such key) and answers `{"swapped": bool, "value": the value now}`. Reads: get answers
    `{"value": value or null}`; snapshot makes one and answers `{"index": index}`.
    """

    def __init__(self, directory: Path) -> None:
        """Start empty; snapshots lie in *directory*."""
        super().__init__(directory)
        self.values: dict[str, str] = {}

    def process_write(self, message: bytes, index: int) -> bytes:
        """Change one key."""
        request = parse(message)
        operation, key = request.get("op"), text(request, "key")
        was = self.values.get(key)
        if operation == "put":
            self.values[key] = text(request, "value")
            return answer(was=was)
        if operation == "delete":
            self.values.pop(key, None)
            return answer(was=was)
        if operation == "cas":
            expect, value = request.get("expect"), text(request, "value")
            if expect is not None and not isinstance(expect, str):
                raise Rejected(f'"expect" is a string or null; {HELP}')
            swapped = was == expect
            if swapped:
                self.values[key] = value
            return answer(swapped=swapped, value=self.values.get(key))
        raise Rejected(f"no such write: {operation!r}; {HELP}")

    def process_read(self, message: bytes, index: int) -> bytes:
        """Look one key up, or make a snapshot."""
        request = parse(message)
        if request.get("op") == "get":
            return answer(value=self.values.get(text(request, "key")))
        if request.get("op") == "snapshot":
            self.take_snapshot(index)
            return answer(index=index)
        raise Rejected(f"no such read: {request.get('op')!r}; {HELP}")

    def dump(self) -> bytes:
        """Return all keys and values as JSON, sorted: equal states are equal bytes."""
        return json.dumps(self.values, sort_keys=True, separators=(",", ":")).encode()

    def load(self, state: bytes) -> None:
        """Take all keys and values."""
        self.values = json.loads(state)


def parse(message: bytes) -> dict[str, Any]:
    """
    Return the object in *message*.

    Raises:
        Rejected: there is none.
    """
    try:
        request = json.loads(message)
    except (ValueError, RecursionError):
        raise Rejected(HELP) from None
    if not isinstance(request, dict):
        raise Rejected(HELP)
    return request


def text(request: dict[str, Any], name: str) -> str:
    """
    Return a string of the request.

    Raises:
        Rejected: it is missing, or no string.
    """
    value = request.get(name)
    if not isinstance(value, str):
        raise Rejected(f'"{name}" is a string; {HELP}')
    return value


def answer(**facts: object) -> bytes:
    """Return an answer's bytes."""
    return json.dumps(facts, separators=(",", ":")).encode()


def put(key: str, value: str) -> bytes:
    """Return the command that puts *value* under *key*."""
    return answer(op="put", key=key, value=value)


def delete(key: str) -> bytes:
    """Return the command that deletes *key*."""
    return answer(op="delete", key=key)


def compare_and_swap(key: str, expect: str | None, value: str) -> bytes:
    """Return the command that puts *value* where *expect* is."""
    return answer(op="cas", key=key, expect=expect, value=value)


def get(key: str) -> bytes:
    """Return the read of *key*."""
    return answer(op="get", key=key)


def make_snapshot() -> bytes:
    """Return the read that makes a snapshot."""
    return answer(op="snapshot")


def decode_answer(raw: bytes) -> dict[str, Any]:
    """Return an answer's facts."""
    found: dict[str, Any] = json.loads(raw)
    return found


def describe(message: bytes) -> str:
    """Return one short line about a command: `put user:42 38 B`."""
    try:
        request = parse(message)
        value = request.get("value")
        size = f" {len(value)} B" if isinstance(value, str) else ""
        return f"{request.get('op', '?')} {request.get('key', '')}{size}".strip()
    except Rejected:
        return f"garbage {len(message)} B"
