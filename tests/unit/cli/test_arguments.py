"""A command line that makes no sense: one sentence on standard error, status 2, no traceback."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lolraft.cli import main
from tests.integration.cluster import free_id, free_port

NOBODY = "127.0.0.1:1"
APPS = {
    "breaks.py": "1 / 0",
    "leaves.py": "raise SystemExit(7)",
    "garbled.py": "def (",
    "apps.py": """
from lab.apps.kv import KeyValueApp
from lolraft import RaftApp

class Unfinished(RaftApp):
    def process_write(self, message, index):
        return b""

class Raises(KeyValueApp):
    def __init__(self, directory):
        raise RuntimeError("no model file")

class Leaves(KeyValueApp):
    def __init__(self, directory):
        raise SystemExit(7)

class TakesNothing(KeyValueApp):
    def __init__(self):
        pass

class CannotInstall(KeyValueApp):
    def install_snapshot(self, index):
        raise RuntimeError("no room")

class BadServices(KeyValueApp):
    @classmethod
    def add_services(cls, server):
        raise RuntimeError("no service")

def function(directory):
    return None
""",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with a few modules; `serve` looks there for apps."""
    for name, text in APPS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("apps", "breaks", "leaves", "garbled"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delenv("address", raising=False)
    return tmp_path


def says(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command; return its status and the one sentence that it says."""
    try:
        status = main(arguments)
    except SystemExit as ended:  # `argparse` ends so, after its usage.
        status = int(str(ended.code))
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if not line.startswith((" ", "usage:"))]
    assert len(lines) == 1, err
    return status, lines[0]


SERVE = {
    "no id": ([], "which node?"),
    "an id that is none": (["ftp://x"], "looks like http://host:50000"),
    "an id with a path": (["http://a:1/b"], "looks like http://host:50000"),
    "no such app": (["ID", "--app", "nothing"], "installed are counter, kv"),
    "an empty app": (["ID", "--app", ""], "installed are counter, kv"),
    "no such module": (["ID", "--app", "no.such:App"], "cannot load the app 'no.such:App'"),
    "no such class": (["ID", "--app", "apps:Missing"], "has no attribute 'Missing'"),
    "no module": (["ID", "--app", ":App"], "cannot load the app ':App'"),
    "no class": (["ID", "--app", "apps:function"], "no subclass of lolraft.RaftApp"),
    "a module that breaks": (["ID", "--app", "breaks:App"], "ZeroDivisionError"),
    "a module that leaves": (["ID", "--app", "leaves:App"], "SystemExit: 7"),
    "a module that is no Python": (["ID", "--app", "garbled:App"], "SyntaxError"),
    "a class that is unfinished": (["ID", "--app", "apps:Unfinished"], "install_snapshot"),
    "a class that raises": (["ID", "--app", "apps:Raises"], "no model file (PATH/apps.py:11)"),
    "a class that leaves": (["ID", "--app", "apps:Leaves"], "SystemExit: 7"),
    "a class that takes nothing": (["ID", "--app", "apps:TakesNothing"], "takes one argument, a d"),
    "shards that are none": (["ID", "--shards", "a-b"], "not a shard or a range"),
    "no shards": (["ID", "--shards", ","], "names no shard"),
    "shards backwards": (["ID", "--shards", "9-0"], "not a range of shards"),
    "shards without end": (["ID", "--shards", "0-99999999"], "not a range of shards"),
    "members without itself": (["ID", "--members", "http://a:1"], "is not among the members"),
    "members that are none": (["ID", "--members", "ID,???"], "looks like http://host:50000"),
    "a priority that is huge": (["ID", "--priority", "101"], "a priority is -100 to 100"),
    "a listener that is none": (["ID", "--listen", "foo"], "it must be host:port"),
    "a port that is none": (["ID", "--listen", "127.0.0.1:99999"], "ports end at 65535"),
    "another machine's address": (["ID", "--listen", "192.0.2.1:9"], "Cannot assign"),
    "a name that is unknown": (["ID", "--listen", "no.such.invalid:9"], "cannot listen on no.such"),
    "a directory under a file": (["ID", "--data", "apps.py/x"], "cannot make the data directory"),
    "a directory that is a file": (["ID", "--data", "apps.py"], "cannot make the data directory"),
    "one TLS file": (["ID", "--tls-ca", "x"], "go together"),
    "TLS for http": (
        ["ID", "--tls-ca", "x", "--tls-key", "x", "--tls-certificate", "x"],
        "an https id and TLS files go together",
    ),
    "https without TLS": (["https://127.0.0.1:9"], "an https id and TLS files go together"),
    "TLS files that are missing": (
        ["https://127.0.0.1:9", "--tls-ca", "x", "--tls-key", "x", "--tls-certificate", "x"],
        "cannot read x: No such file",
    ),
    "TLS files that are none": (
        [
            *("https://127.0.0.1:9", "--tls-ca", "apps.py", "--tls-key", "apps.py"),
            *("--tls-certificate", "apps.py"),
        ],
        "in PEM",
    ),
}


@pytest.mark.parametrize("name", SERVE)
def test_serve(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    arguments, expected = SERVE[name]
    node_id = str(free_id())
    given = [argument.replace("ID", node_id) for argument in arguments]
    status, said = says(capsys, "serve", *given, *(() if "--data" in given else ("--memory",)))
    assert status == 2
    assert expected.replace("PATH", str(here)) in said


@pytest.mark.parametrize(("app", "why"), [("CannotInstall", "no room"), ("BadServices", "no serv")])
def test_an_app_that_breaks_at_the_start(
    capsys: pytest.CaptureFixture[str], app: str, why: str
) -> None:
    status, said = says(capsys, "serve", str(free_id()), "--memory", "--app", f"apps:{app}")
    assert status == 1
    assert "could not start" in said
    assert why in said


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        for node_id in (f"http://127.0.0.1:{port}", f"http://somewhere:{port}"):
            status, said = says(capsys, "serve", node_id, "--memory")
            assert status == 2
            assert "Address already in use" in said
            assert "--listen HOST:PORT" in said


ASK = {
    "no command": ((), "COMMAND"),
    "an unknown command": (("dance",), "invalid choice: 'dance'"),
    "no address": (("status",), "ADDRESS"),
    "no message": (("write", NOBODY), "message"),
    "no server to add": (("add-server", NOBODY), "--server"),
    "an address that is none": (("read", "???", "x"), "looks like http://host:50000"),
    "a port that is none": (("status", "a:99999"), "looks like http://host:50000"),
    "a server that is none": (("add-server", NOBODY, "--server", "a b"), "looks like http://"),
    "a target that is none": (("transfer", NOBODY, "--to", "///"), "looks like http://"),
    "a shard that is no number": (("read", NOBODY, "x", "--shard", "one"), "--shard"),
    "a shard below all": (("read", NOBODY, "x", "--shard=-1"), "--shard is a number"),
    "a shard beyond all": (("read", NOBODY, "x", "--shard", "4294967296"), "--shard is a number"),
    "a time that is no number": (("read", NOBODY, "x", "--timeout", "soon"), "--timeout"),
    "no time": (("read", NOBODY, "x", "--timeout", "0"), "--timeout is a number"),
    "less than no time": (("status", NOBODY, "--timeout=-1"), "--timeout is a number"),
    "a time that is not a number": (("status", NOBODY, "--timeout", "nan"), "--timeout is a"),
    "no hexadecimal": (("write", NOBODY, "xyz", "--hex"), "pairs of hexadecimal digits"),
    "no text": (("write", NOBODY, "\udcff", "--hex"), "pairs of hexadecimal digits"),
    "one TLS file": (("read", NOBODY, "x", "--tls-key", "apps.py"), "go together"),
    "TLS files that are missing": (
        ("read", NOBODY, "x", "--tls-ca", "a", "--tls-key", "b", "--tls-certificate", "c"),
        "cannot read c: No such file",
    ),
}


@pytest.mark.parametrize("name", ASK)
def test_asking(capsys: pytest.CaptureFixture[str], name: str) -> None:
    arguments, expected = ASK[name]
    status, said = says(capsys, *arguments)
    assert status == 2
    assert expected in said


FAILS = {
    "nobody to read from": (("read", NOBODY, "x", "--timeout", "0.3"), "UNAVAILABLE"),
    "nobody to write to": (("write", NOBODY, "\udcff", "--timeout", "0.3"), "UNAVAILABLE"),
    "a request id that is no text": (
        ("write", NOBODY, "x", "--request-id", "\udcff"),
        "INVALID_ARGUMENT: a request id is text",
    ),
    "nobody to ask": (("status", NOBODY), "no server answers"),
    "a name that is unknown": (("status", "no.such.invalid:1"), "no server answers"),
}


@pytest.mark.parametrize("name", FAILS)
def test_asking_in_vain_is_status_1(capsys: pytest.CaptureFixture[str], name: str) -> None:
    arguments, expected = FAILS[name]
    status, said = says(capsys, *arguments)
    assert status == 1
    assert expected in said


@pytest.fixture
def mute() -> Iterator[str]:
    """Somebody who takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("command", ["status", "read"])
def test_who_says_nothing_is_left_in_time(
    capsys: pytest.CaptureFixture[str], mute: str, command: str
) -> None:
    more = ("x",) if command == "read" else ()
    status, said = says(capsys, command, mute, *more, "--timeout", "0.5")
    assert status == 1
    assert mute in said
