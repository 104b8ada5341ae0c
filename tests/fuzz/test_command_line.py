"""Whatever is typed: a sentence and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import options
from lolraft import cli
from lolraft.config import Config, parse_servers, parse_shards
from lolraft.errors import ConfigError
from lolraft.runtime.loop import run
from tests.fuzz.effort import effort

COMMANDS = (
    *("serve", "status", "write", "read", "add-server", "remove-server", "replace-server"),
    *("change-members", "transfer", "backup", "restore", "recover"),
)
WORDS = (
    *("--listen", "--data", "--app", "--shards", "--members", "--enable-faults", "--memory"),
    *("--priority", "--lease", "--clock-drift", "--snapshot-entries", "--tail-entries", "--shard"),
    *("--json", "--timeout", "--hex", "--request-id", "--consistency", "--max-staleness", "--help"),
    *("--server", "--voters", "--learners", "--to", "--from", "--file", "--survivors", "--follow"),
    *("--accept-data-loss", "--tls-ca", "--tls-key", "--tls-certificate", "--per-core"),
)
VALUES = (
    *("0", "-1", "1e999", "nan", "inf", "0-9,777", "5-1", "0-99999999999", "", " ", ",", "-", "--"),
    *("http://127.0.0.1:1", "127.0.0.1:1", "http://", "https://[::1]:1", "http://h:99999", "kv"),
    *(
        "module:Class",
        "os:system",
        "stale",
        "linearizable",
        "/dev/null",
        "/nowhere/at/all",
        "é\x00",
    ),
)
junk = st.text(max_size=12).filter(lambda text: not text.startswith("--"))
words = st.one_of(st.sampled_from(WORDS), st.sampled_from(VALUES), junk)
lines = st.builds(
    lambda command, rest: [command, *rest],
    st.one_of(st.sampled_from(COMMANDS), junk),
    st.lists(words, max_size=6),
)


class Ran(Exception):
    """It would run now: the line made sense."""


def told(main: Callable[[Sequence[str]], object], line: list[str]) -> tuple[object, str]:
    """Return the exit code, or `Ran`, and what was said of a line."""
    said = io.StringIO()
    code: object
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(line)
        except SystemExit as ended:
            code = ended.code
        except Ran:
            code = Ran
    return code, said.getvalue()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing be served or asked; what reads files has an empty directory."""

    def no_run(coroutine: object) -> None:
        getattr(coroutine, "close")()  # noqa: B009  # It is a coroutine of one of many types.
        raise Ran

    assert cli.run is run
    monkeypatch.setattr(cli, "run", no_run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("address", raising=False)


@effort(400)
@given(line=lines)
@pytest.mark.usefixtures("alone")
def test_a_command_line_is_run_or_refused_in_a_sentence(line: list[str]) -> None:
    code, said = told(cli.main, line)
    assert code in (0, 1, 2, None, Ran)
    assert "Traceback" not in said
    if code in (1, 2):
        assert said.strip()


@effort(400)
@given(line=st.lists(words, max_size=6))
def test_the_line_of_the_lab_is_understood_or_refused(line: list[str]) -> None:
    code, said = told(options.parse, line)
    if isinstance(code, int):
        assert code in (0, 2)
        assert code == 0 or said.strip()


@effort(300)
@given(text=st.one_of(st.text(max_size=20), st.from_regex(r"[\d,\- ]{0,20}", fullmatch=True)))
def test_lists_of_shards_and_servers_are_read_or_refused(text: str) -> None:
    for read in (parse_shards, parse_servers):
        with contextlib.suppress(ConfigError):
            read(text)


numbers = st.one_of(st.integers(), st.floats(), st.sampled_from((0, 1, -1, 2**63, 2**64)))


@effort(300)
@given(
    node_id=st.one_of(st.text(max_size=20), st.sampled_from(("http://127.0.0.1:1", "https://h:2"))),
    listen=st.one_of(st.just(""), st.text(max_size=20), st.just("127.0.0.1:70000")),
    shards=st.lists(st.integers(-1, 2**33), max_size=4).map(tuple),
    members=st.lists(st.text(max_size=20), max_size=2).map(tuple),
    facts=st.dictionaries(
        st.sampled_from(
            (
                *("snapshot_entries", "snapshot_bytes", "tail_entries", "phi_threshold"),
                *("priority", "lease_s", "clock_drift", "max_message_bytes"),
            )
        ),
        numbers,
    ),
)
def test_a_config_is_made_or_refused(
    node_id: str,
    listen: str,
    shards: tuple[int, ...],
    members: tuple[str, ...],
    facts: dict[str, int | float],
) -> None:
    with contextlib.suppress(ConfigError):
        Config(node_id=node_id, listen=listen, shards=shards, members=members, **facts)  # type: ignore[arg-type]


def test_what_the_lines_name_is_there() -> None:
    """The fuzzer would find nothing if it knew no option."""
    text = cli.build_parser().format_help()
    assert all(command in text for command in COMMANDS)
