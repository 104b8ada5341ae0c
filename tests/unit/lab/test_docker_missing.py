"""Where Docker cannot be used: what is so, why, and what to do, each in a sentence."""

from __future__ import annotations

import grp
import os
import socket
from pathlib import Path

import pytest

from lab.cluster.docker_engine import _why, why_no_docker
from lab.cluster.interface import ClusterError
from lab.options import Wishes
from lab.session import choose


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where Docker's socket is said to be; nothing is there."""
    place = tmp_path_factory.mktemp("d") / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
    return place


def test_no_socket_at_all(place: Path) -> None:
    assert why_no_docker() == f"Docker does not answer at unix://{place} (no such file)"


def test_a_socket_that_nobody_listens_at(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))
        assert why_no_docker().endswith("(nobody listens: is it running?)")


def test_something_else_listens(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place))
        other.listen()
        other.settimeout(5.0)
        assert why_no_docker() == f"Docker does not answer at unix://{place}"


@pytest.mark.skipif(os.getuid() == 0, reason="root may use every socket")
def test_a_socket_of_somebody_else(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as forbidden:
        forbidden.bind(str(place))
        forbidden.listen()
        place.chmod(0)
        assert "is not for this user" in why_no_docker()


def test_who_may_not_is_told_which_group_to_join(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "kay")
    place.touch()
    group = grp.getgrgid(place.stat().st_gid).gr_name
    refused = "('Connection aborted.', PermissionError(13, 'Permission denied'))"
    where = f"unix://{place}"
    told = _why(where, refused)
    assert f"sudo usermod -aG {group} kay, then log in again" in told
    place.unlink()
    assert "-aG docker kay" in _why(where, refused)


def test_who_wants_docker_is_told_what_needs_none(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(ClusterError, match=r"no such file\); --backend local and --backend sim"):
        choose(Wishes(backend="docker"), lambda line: None)
    said: list[str] = []
    assert choose(Wishes(), said.append).backend == "local"
    assert "no such file): the nodes are local processes" in said[-1]
