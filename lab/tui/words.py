"""Keys and values in the words of `lab.apps.kv`, for writing and reading from the screen."""

from __future__ import annotations

from lab.apps import kv


class KeyValueWords:
    """Put and get, and answers as a person reads them."""

    def put(self, key: str, value: str) -> bytes:
        """Return the command that puts *value* under *key*."""
        return kv.put(key, value)

    def get(self, key: str) -> bytes:
        """Return the read of *key*."""
        return kv.get(key)

    def snapshot(self) -> bytes:
        """Return the read that makes a snapshot."""
        return kv.make_snapshot()

    def tell(self, answer: bytes) -> str:
        """Return an answer in words; one that is not the store's is shown as it is."""
        try:
            facts = kv.decode_answer(answer)
        except ValueError:
            return answer.decode(errors="replace")
        if not isinstance(facts, dict):
            return str(facts)
        return ", ".join(
            f"{name} {'nothing' if value is None else value}" for name, value in facts.items()
        )


def speaks_key_value(app: str) -> bool:
    """Say whether a node's app, by the name it reports, is the key-value store."""
    return not app or app == "kv" or "kv" in app.split(":")[0].split(".") or "KeyValue" in app
