"""Bend a protobuf message: fields of every depth get values that are legal and make no sense."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

NUMBERS = (0, 1, 2, 3, 7, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS = (
    "", "a", "http://a:1", "http://a:1/", "HTTP://A:1", "http://a:99999", "http://[::1]:2",
    "http://a:0", "http://ä:1", "\0", "x" * 2000, "http://" + "a" * 300 + ":1", "://", "http://[",
)  # fmt: skip
CONFIGURATION: dict[str, Any] = {
    "group": "7", "voters": ["http://a:1"], "outgoing": [], "learners": [], "incarnations": {},
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**64, 2**200, 1.5, float("inf"), float("nan"), "", "7", "g", "http://a:1",
    "http://\ud800:1", [], [1], [[]], ["http://a:1", "http://a:1"], {}, {"a": 1},
    {"http://a:1": -1}, {"http://a:1": 5}, ["x"] * 9,
)  # fmt: skip


def bend(message: Message, chance: Random, times: int = 2) -> Message:
    """Change *message* in up to *times* places; return it."""
    for _ in range(times):
        _bend_once(message, chance)
    return message


def _bend_once(message: Message, chance: Random) -> None:
    if not message.DESCRIPTOR.fields:
        return
    field = chance.choice(list(message.DESCRIPTOR.fields))
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if field.is_repeated:
            column = getattr(message, field.name)
            if not column or chance.random() < 0.2:
                column.add()
            _bend_once(chance.choice(column), chance)
        else:
            _bend_once(getattr(message, field.name), chance)
            getattr(message, field.name).SetInParent()
        return
    if not field.is_repeated:
        if chance.random() < 0.1:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, _value(field, chance))
        return
    column = getattr(message, field.name)
    what = chance.randrange(4)
    if what == 0 or not column:
        column.append(_value(field, chance))
    elif what == 1:
        column.pop()
    elif what == 2:
        column.extend(list(column) * chance.choice((1, 50)))
    else:
        column[chance.randrange(len(column))] = _value(field, chance)


def _value(field: FieldDescriptor, chance: Random) -> Any:  # noqa: ANN401
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return chance.choice((0.0, -1.0, 1e9, float("inf"), float("nan")))
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return noise(chance)
        case FieldDescriptor.CPPTYPE_STRING:
            return chance.choice(TEXTS)
        case FieldDescriptor.CPPTYPE_UINT32:
            return chance.choice(NUMBERS) % 2**32
        case FieldDescriptor.CPPTYPE_UINT64:
            return chance.choice(NUMBERS)
        case _:
            return chance.choice(NUMBERS) % 2**31


def noise(chance: Random) -> bytes:
    """Return bytes: any, or such as some reader behind the door would like to have."""
    what = chance.randrange(5)
    if what == 0:
        return configuration(chance)
    if what == 1:
        return b"[" * chance.choice((3, 100_000))
    if what == 2:
        return bytes(chance.randrange(4) for _ in range(chance.randrange(6)))  # Kinds of entries.
    if what == 3:
        return chance.choice(TEXTS).encode()
    return chance.randbytes(chance.choice((0, 1, 2, 40)))


def configuration(chance: Random) -> bytes:
    """Return the payload of a configuration, bent."""
    fields = dict(CONFIGURATION)
    for _ in range(chance.randrange(3)):
        fields[chance.choice(list(fields))] = chance.choice(VALUES)
    if chance.random() < 0.2:
        del fields[chance.choice(list(fields))]
    return json.dumps(fields).encode()
