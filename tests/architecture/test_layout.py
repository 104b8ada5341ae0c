"""The shape that DESIGN.md fixes: sizes, purity, layers, names, and generated code."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "lolraft" / "rpc" / "pb"
FILE_LINES, FUNCTION_LINES, CORE_LINES = 400, 70, 2500
PURE = ("lolraft/raft", "lolraft/multiraft")
IMPURE = {
    "asyncio", "datetime", "grpc", "logging", "os", "pathlib", "random", "secrets", "socket",
    "sqlite3", "subprocess", "threading", "time", "uuid",
}  # fmt: skip


def sources(*places: str) -> Iterator[Path]:
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")):
            if GENERATED not in path.parents:
                yield path


ALL = list(sources("lolraft", "lab", "proto", "tests"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_file_reads_in_one_go(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


def test_the_core_reads_in_an_hour() -> None:
    lines = sum(path.read_text().count("\n") for path in sources("lolraft/raft"))
    assert lines <= CORE_LINES


@pytest.mark.parametrize("path", list(sources(*PURE)), ids=name_of)
def test_what_decides_is_pure(path: Path) -> None:
    """No `async`, no clock, no chance, no order that depends on a hash seed."""
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), ast.dump(node)
        if isinstance(node, ast.Import):
            assert not {item.name.partition(".")[0] for item in node.names} & IMPURE
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in IMPURE
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("hash", "id", "open", "print", "input"), ast.dump(node)


@pytest.mark.parametrize("path", list(sources("lolraft", "lab")), ids=name_of)
def test_private_names_stay_where_they_are(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("lolraft", "lab")):
            private = [item.name for item in node.names if item.name.startswith("_")]
            assert not private, f"{private} of {node.module}"


def test_layers_lean_downwards() -> None:
    program = "from importlinter.cli import lint_imports_command as lint; lint()"
    linted = subprocess.run(
        (sys.executable, "-c", program), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_generated_code_is_that_of_proto() -> None:
    spec = spec_from_file_location("generate", ROOT / "proto" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = module_from_spec(spec)
    spec.loader.exec_module(generate)
    with tempfile.TemporaryDirectory() as directory:
        generate.generate(Path(directory))
        made = {path.name: path for path in Path(directory).rglob("*_pb2*.py")}
        kept = {path.name: path for path in GENERATED.rglob("*_pb2*.py")}
        assert made.keys() == kept.keys(), "run ./dev proto"
        for name, path in made.items():
            assert path.read_text() == kept[name].read_text(), f"{name}: run ./dev proto"


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
    ],
    ids=lambda command: " ".join(command),
)
def test_the_style_is_kept(command: tuple[str, ...]) -> None:
    tool = Path(sys.executable).parent / command[0]
    ended = subprocess.run(
        (str(tool), *command[1:]), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
