"""Views as plain values and back: for the picture with which a recording begins in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def to_plain(value: object) -> Any:  # noqa: ANN401  # JSON.
    """Return *value*, made of frozen dataclasses, tuples and mappings, as what JSON knows."""
    if is_dataclass(value):
        return [type(value).__name__, *(to_plain(getattr(value, one.name)) for one in _of(value))]
    if isinstance(value, Mapping):
        return [[to_plain(key), to_plain(item)] for key, item in value.items()]
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_plain(hint: Any, plain: Any) -> Any:  # noqa: ANN401  # JSON, and what it is to become.
    """
    Return the value of type *hint* that `to_plain` made *plain* of.

    Raises:
        ValueError, TypeError, KeyError: *plain* is not of that type.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _either(inner, plain)
    if origin is tuple:
        if inner[1:] == (...,):
            return tuple(from_plain(inner[0], item) for item in plain)
        return tuple(from_plain(one, item) for one, item in zip(inner, plain, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        key, item = inner
        pairs = {from_plain(key, one): from_plain(item, other) for one, other in plain}
        return MappingProxyType(pairs)
    if is_dataclass(hint):
        assert isinstance(hint, type), "a dataclass, not one of its instances"
        hints = _hints(hint)
        if plain[0] != hint.__name__:
            raise ValueError(f"a {hint.__name__} is expected, not {plain[0]}")
        if len(plain) > len(hints) + 1:
            raise ValueError(f"a {hint.__name__} has {len(hints)} fields, not {len(plain) - 1}")
        values = zip(hints.items(), plain[1:], strict=False)  # Older files lack the last fields.
        return hint(**{name: from_plain(one, value) for (name, one), value in values})
    return hint(plain) if isinstance(hint, type) and issubclass(hint, Enum) else plain


def _either(hints: tuple[Any, ...], plain: Any) -> Any:  # noqa: ANN401
    if plain is None:
        return None
    left = [one for one in hints if one is not NoneType]
    if len(left) == 1:
        return from_plain(left[0], plain)
    by_name = {one.__name__: one for one in left}
    return from_plain(by_name[plain[0]], plain)


def _of(value: Any) -> Any:  # noqa: ANN401  # The fields of any dataclass.
    return fields(value)


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    known = get_type_hints(kind)
    return {one.name: known[one.name] for one in _of(kind)}
