"""`./log --record` in a terminal, killed without mercy, and `./log --replay` of what is left."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from lab.observe.recording import read
from tests.integration.terminal import ROOT, Terminal


def test_what_a_killed_lab_has_recorded_is_seen_again(tmp_path: Path) -> None:
    file = tmp_path / "f"
    live = Terminal("-m", "lab", "--backend", "sim", "--seed", "1", "--record", str(file),
                    state=tmp_path)  # fmt: skip
    try:
        live.until(lambda text: "leaders 1/1" in text and re.search(r"REC 00:0\d \d+ kB", text))
        live.press("K")
        live.until(lambda text: re.search(r"-[2-9]\.\ds ★ n\d elected in s0000 \(term 2\)", text))
        live.process.send_signal(signal.SIGKILL)
        live.wait()
    finally:
        live.close()
    whole = read(file)
    assert any("you: kill" in event.text for event in whole.last().events)
    file.write_bytes(file.read_bytes()[:-5])  # As if it had died within the last write.
    again = Terminal("-m", "lab", "--replay", str(file), state=tmp_path)
    try:
        again.until(lambda text: "‖ REPLAY" in text and "Ends early at 00:00:" in text)
        again.press("<")
        again.until(lambda text: "★" in text and "(term 2)" in text and "event" in text)
        again.press("<")
        again.until(lambda text: "· term 1 ·" in text)
        again.press("K")
        again.until(lambda text: "nothing can be done to it" in text)
        again.press("z")  # Through the recording, to its end: the story has the kill in it.
        again.until(lambda text: "end of 00:0" in text and "killed" in text)
        again.press("F")
        again.until(lambda text: "time stands" in text and "not the schedule" in text)
        again.press("3")
        again.until(lambda text: "story: kill" in text)
        again.press("q")
        again.until(lambda text: "end the cluster" in text)
        again.press("e")
        assert again.wait() == 0
        assert b"Traceback" not in again.raw
    finally:
        again.close()


def test_a_file_that_is_none_is_one_line_and_status_1(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "lab", "--replay", str(tmp_path / "none")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == f"./log: {tmp_path / 'none'} cannot be read: No such file or directory\n"
