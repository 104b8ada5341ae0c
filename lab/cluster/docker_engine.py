"""The Docker engine for the lab: every call in a thread, every error a sentence (LAB part 2)."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import requests

from lab.cluster import runs
from lab.cluster.interface import ClusterError

RUN, NODE, PORT, STATE = "lolraft.lab", "lolraft.node", "lolraft.port", "lolraft.state"
PING_S, CALL_S = 3, 60
NODE_PORT = 50000

Answer = TypeVar("Answer")


def why_no_docker() -> str:
    """Return why Docker cannot be used, empty when it can."""
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        client = docker.from_env(timeout=PING_S)
    except docker.errors.DockerException as broken:
        return _why(where, str(broken))
    try:
        client.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException) as broken:
        return _why(where, str(broken))
    finally:
        client.close()
    return ""


def _why(where: str, reason: str) -> str:
    """Return what is so, and what to do about it, from what the SDK says."""
    if "Permission denied" in reason or "PermissionError" in reason:
        group = _group_of(where)
        join = f"sudo usermod -aG {group} {_user()}, then log in again"
        return f"Docker at {where} is not for this user (join its group: {join})"
    if "FileNotFoundError" in reason or "No such file" in reason:
        return f"Docker does not answer at {where} (no such file)"
    if "ConnectionRefusedError" in reason or "Connection refused" in reason:
        return f"Docker does not answer at {where} (nobody listens: is it running?)"
    return f"Docker does not answer at {where}"


def _group_of(where: str) -> str:
    """Return the group that may use the socket; by its number where it has no name here."""
    try:
        number = Path(where.removeprefix("unix://")).stat().st_gid
    except OSError:
        return "docker"
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return f"{number}"


def _user() -> str:
    """Return who this is, for a command that may be copied."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # No name, in a container.
        return "$USER"


def state_token() -> str:
    """Return a mark of this machine and state directory: `heal` sweeps what is its own."""
    return sha256(f"{socket.gethostname()}\n{runs.state_directory()}".encode()).hexdigest()[:16]


class Engine:
    """One run's containers, networks and volumes, known by their label."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._client = docker.from_env(timeout=CALL_S)
        self._followed: Any = None  # The stream of events; the SDK has no types for it.

    @property
    def raft(self) -> str:
        """Return the name of the network on which nodes talk to each other."""
        return f"{self.run}-raft"

    @property
    def ctl(self) -> str:
        """Return the name of the network by which they are watched; faults do not touch it."""
        return f"{self.run}-ctl"

    async def call(self, what: str, function: Callable[..., Answer], *arguments: object) -> Answer:
        """
        Call the engine in a thread.

        Raises:
            ClusterError: it said no; *what* says what was tried.
        """
        try:
            return await asyncio.to_thread(function, *arguments)
        except docker.errors.APIError as broken:
            text = broken.explanation or str(broken)
            raise ClusterError(f"{what}: Docker says: {text}") from broken
        except (docker.errors.DockerException, requests.exceptions.RequestException) as broken:
            raise ClusterError(f"{what}: Docker does not answer ({broken})") from broken

    # --- making and removing: these block, so they run in threads -------------------------------

    def make_networks(self) -> None:
        """Make the two networks of the run."""
        for name in (self.ctl, self.raft):
            self._client.networks.create(name, driver="bridge", labels=self._labels())

    def make_node(
        self, name: str, port: int, image: str, arguments: list[str], capabilities: list[str]
    ) -> None:
        """Make a node's volume and container; its id's host name is known on `raft` only."""
        labels = self._labels() | {NODE: name, PORT: str(port)}
        volume = f"{self.run}-{name}"
        self._client.volumes.create(volume, labels=self._labels())
        container = self._client.containers.create(
            image,
            arguments,
            name=volume,
            labels=labels,
            init=True,
            cap_add=capabilities,
            network=self.ctl,
            ports={f"{NODE_PORT}/tcp": ("127.0.0.1", port)},
            volumes={volume: {"bind": "/data", "mode": "rw"}},
        )
        self._client.networks.get(self.raft).connect(container, aliases=[name])

    def containers(self) -> dict[str, Any]:
        """Return the run's containers by the names of their nodes."""
        found = self._client.containers.list(all=True, filters={"label": f"{RUN}={self.run}"})
        return {container.labels[NODE]: container for container in found}

    def container(self, name: str) -> Any:  # noqa: ANN401  # The SDK is untyped.
        """Return one node's container as it is now."""
        return self._client.containers.get(f"{self.run}-{name}")

    def addresses(self) -> dict[str, str]:
        """Return the nodes' addresses on the `raft` network; those that run have one."""
        found = {}
        for name, container in self.containers().items():
            networks = container.attrs["NetworkSettings"]["Networks"]
            address = networks.get(self.raft, {}).get("IPAddress")
            if address:
                found[name] = address
        return found

    def last_line(self, name: str) -> str:
        """Return the last thing that a node said."""
        with suppress(docker.errors.APIError):
            raw: bytes = self.container(name).logs(tail=1)
            return raw.decode(errors="replace").strip()[-200:]
        return ""

    def remove_all(self) -> int:
        """Remove containers, networks and volumes of the run; return how many containers."""
        return remove(self._client, f"{RUN}={self.run}")

    def _labels(self) -> dict[str, str]:
        return {RUN: self.run, STATE: state_token()}

    # --- what really happened --------------------------------------------------------------------

    def follow(self, news: Callable[[str, str, str], None]) -> None:
        """Call *news*(node, action, exit code) for every event, from a thread of its own."""
        filters = {"label": f"{RUN}={self.run}", "type": "container"}
        # Made here, not in the thread: nothing that happens from now on is missed.
        stream = self._followed = self._client.events(decode=True, filters=filters)

        def read() -> None:
            with suppress(Exception):  # The engine went, or `close` ended the stream.
                for event in stream:
                    about = event.get("Actor", {}).get("Attributes", {})
                    name, action = about.get(NODE, ""), str(event.get("Action", ""))
                    if name:
                        news(name, action, about.get("exitCode", ""))

        threading.Thread(target=read, name=f"events of {self.run}", daemon=True).start()

    def close(self) -> None:
        """Stop following, and let the engine go."""
        if self._followed is not None:
            with suppress(Exception):
                self._followed.close()
        self._client.close()


def remove(client: Any, label: str) -> int:  # noqa: ANN401  # The SDK is untyped.
    """Remove everything with a label; what is gone already is fine."""
    by_label = {"label": label}
    containers = client.containers.list(all=True, filters=by_label)
    threads = [threading.Thread(target=_remove_one, args=(item,)) for item in containers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for network in client.networks.list(filters=by_label):
        with suppress(docker.errors.APIError):
            network.remove()
    for volume in client.volumes.list(filters=by_label):
        with suppress(docker.errors.APIError):
            volume.remove(force=True)
    return len(containers)


def _remove_one(container: Any) -> None:  # noqa: ANN401  # The SDK is untyped.
    with suppress(docker.errors.APIError):
        container.remove(force=True, v=True)


def sweep_run(name: str) -> None:
    """Remove what is left of a run whose lab is gone."""
    engine = Engine(name)
    try:
        engine.remove_all()
    finally:
        engine.close()


def sweep_unknown(known: set[str], progress: Callable[[str], None]) -> int:
    """Remove runs of this state directory that only their label remembers; return how many."""
    client = docker.from_env(timeout=CALL_S)
    try:
        mine: dict[str, str | list[str] | bool] = {"label": f"{STATE}={state_token()}"}
        found = {item.labels.get(RUN) for item in client.containers.list(all=True, filters=mine)}
        found |= {item.attrs["Labels"].get(RUN) for item in client.networks.list(filters=mine)}
        lost = sorted(name for name in found if name and name not in known)
        for name in lost:
            progress(f"{name}: removing containers that no lab remembers")
            remove(client, f"{RUN}={name}")
    finally:
        client.close()
    return len(lost)
