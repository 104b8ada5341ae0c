"""Completion as shells do it: real shells, a real tab key, the line that the help names."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.scenarios.script import names
from tests.integration.terminal import PATIENCE_S, ROOT

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}


class Shell:
    """An interactive shell on a pty, in the directory of the checkout."""

    def __init__(self, name: str, home: Path) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, "HOME": str(home), "PS1": "$ ", "PROMPT": "$ ", "TERM": "dumb"}
        environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "400"}
        self.process = subprocess.Popen(
            SHELLS[name], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.said = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, wanted: str) -> None:
        """Wait until *wanted* was printed since the last wait."""
        end_s = time.monotonic() + PATIENCE_S
        while wanted not in self.said:
            assert time.monotonic() < end_s, f"no {wanted!r} in {self.said!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                self.said += os.read(self._master, 65536).decode(errors="replace")
        self.said = self.said.partition(wanted)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture(scope="module", params=list(SHELLS))
def shell(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    begun = Shell(name, tmp_path_factory.mktemp("home"))
    try:
        if name == "zsh":
            begun.type("autoload -U compinit && compinit -D -u\n")
        for module in ("lab", "lolraft"):
            script = f"{sys.executable} -m {module} --print-completion {name}"
            begun.type(f'eval "$({script})" && echo {module}_is"_on"\n')
            begun.until(f"{module}_is_on")
        yield begun
    finally:
        begun.close()


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("./log --backend lo", "./log --backend local "),
        ("./log --scenario figure", "./log --scenario figure_3_7 "),
        ("./log --no-a", "./log --no-ascii "),
        ("./log --app cou", "./log --app counter "),
        ("./log hea", "./log heal "),
        ("./log --replay pyproj", "./log --replay pyproject.toml "),
        ("lolraft repl", "lolraft replace-server "),
        ("lolraft read --consistency lin", "lolraft read --consistency linearizable "),
        ("lolraft serve --sna", "lolraft serve --snapshot-entries "),
    ],
)
def test_tab_completes(shell: Shell, typed: str, becomes: str) -> None:
    shell.type(f"{typed}\t")
    shell.until(typed)
    shell.until(becomes.removeprefix(typed))
    shell.type("\x15")  # The line is not to be run.


@pytest.fixture
def fish(tmp_path: Path) -> Callable[[str], list[str]]:
    if shutil.which("fish") is None:
        pytest.skip("no fish here")

    def complete(line: str) -> list[str]:
        module = "lab" if line.startswith("./log") else "lolraft"
        script = f"{sys.executable} -m {module} --print-completion fish | source"
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"{script}; complete -C '{line}'"],
            cwd=ROOT,
            env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        assert done.stderr == ""
        return [each.partition("\t")[0] for each in done.stdout.splitlines()]

    return complete


def test_fish_completes(fish: Callable[[str], list[str]]) -> None:
    assert fish("./log --backend ") == ["auto", "docker", "local", "sim"]
    assert set(fish("./log --scenario ")) == {*names(), "list", "all"}
    assert "--theme" in fish("./log --th")
    assert "replace-server" in fish("lolraft repl")


def test_what_is_only_for_tabs_of_a_browser_is_not_offered() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "lab", "--print-completion", "bash"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    ).stdout  # fmt: skip
    assert "--serve" in script
    assert "--tab" not in script


@pytest.mark.parametrize("module", ["lab", "lolraft"])
def test_without_the_package_it_is_a_sentence(module: str, tmp_path: Path) -> None:
    (tmp_path / "shtab.py").write_text("raise ModuleNotFoundError('shtab')")
    done = subprocess.run(
        [sys.executable, "-m", module, "--print-completion", "bash"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert "pip install 'lolraft[completion]'" in done.stderr
    assert "Traceback" not in done.stderr
