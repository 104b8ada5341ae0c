"""
Make the images: a base, the node (`lol-testapp:latest`) and the development image (`lolraft:dev`).

    python3 -m lab.setup.images [node] [dev]

The base is the first of: LOLRAFT_BASE_IMAGE; one that was made here before; a Python image that is
here or that a registry gives; one made with debootstrap from the Debian mirror of this machine.
An image is built again only when what it is made of has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.setup.debootstrap import LOCAL_BASE, make_base
from lab.setup.shell import ROOT, Progress, SetupError, ask, run, say, why_no_docker

NODE_IMAGE, DEV_IMAGE = "lol-testapp:latest", "lolraft:dev"
PUBLIC_BASE = "python:3.11-slim"
PULL_S = 30.0
SERVICES = ("node-0", "node-1", "node-2", "log", "dev")  # Of docker-compose.yml.
LABEL = "lolraft.inputs"
_PASSED_ON = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip


def ensure_node_image(progress: Progress) -> str:
    """
    Return the tag of the image of one node, built from the sources as they are.

    Raises:
        SetupError: it cannot be built; the text says what to do.
    """
    inputs = ["Dockerfile", ".dockerignore", "pyproject.toml", "lolraft", "lab"]
    return _ensure(NODE_IMAGE, "node", inputs, progress)


def ensure_dev_image(progress: Progress) -> str:
    """
    Return the tag of the development image; the sources are not in it.

    Raises:
        SetupError: it cannot be built; the text says what to do.
    """
    return _ensure(DEV_IMAGE, "dev", ["Dockerfile", ".dockerignore", "pyproject.toml"], progress)


def _ensure(tag: str, target: str, inputs: Sequence[str], progress: Progress) -> str:
    why_not = why_no_docker()
    if why_not:
        raise SetupError(f"{tag} cannot be built: {why_not}")
    wanted = _digest(inputs)
    if _label(tag) == wanted:
        return tag
    with _one_at_a_time(progress):
        if _label(tag) == wanted:  # Somebody else has built it meanwhile.
            return tag
        base = ensure_base(progress)
        progress(f"building {tag} (a minute or two the first time)")
        command = ["docker", "build", "--target", target, "--tag", tag]
        command += ["--label", f"{LABEL}={wanted}", "--build-arg", f"BASE_IMAGE={base}"]
        for name in _PASSED_ON:
            if os.environ.get(name):
                command += ["--build-arg", name]
        run([*command, str(ROOT)], what=f"building {tag}")
        # The image that this one replaces has no name any more.
        ask(("docker", "image", "prune", "--force", "--filter", f"label={LABEL}"))
        progress(f"{tag} is ready")
    return tag


def ensure_base(progress: Progress) -> str:
    """
    Return the name of a base image, which is here afterwards; compose is told of it too.

    Raises:
        SetupError: none can be had.
    """
    base = os.environ.get("LOLRAFT_BASE_IMAGE") or _any_base(progress)
    lines = ["# Written by `./dev images`: the base image that this machine has.", "services:"]
    lines += [f"  {name}: {{build: {{args: {{BASE_IMAGE: '{base}'}}}}}}" for name in SERVICES]
    (ROOT / "docker-compose.override.yml").write_text("\n".join(lines) + "\n")
    return base


def _any_base(progress: Progress) -> str:
    for known in (LOCAL_BASE, PUBLIC_BASE):
        if _is_here(known):
            return known
    progress(f"asking the image registry for {PUBLIC_BASE}")
    if ask(("docker", "pull", "--quiet", PUBLIC_BASE), timeout_s=PULL_S) is not None:
        return PUBLIC_BASE
    progress("no image registry in reach")
    make_base(progress)
    return LOCAL_BASE


def _is_here(tag: str) -> bool:
    return ask(("docker", "image", "inspect", "--format", "{{.Id}}", tag)) is not None


def _label(tag: str) -> str:
    form = '{{index .Config.Labels "' + LABEL + '"}}'
    return ask(("docker", "image", "inspect", "--format", form, tag)) or ""


def _digest(inputs: Sequence[str]) -> str:
    """Return a digest of the files that an image is made of: names and contents."""
    digest = hashlib.sha256()
    for path in _files(inputs):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _files(inputs: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for name in inputs:
        place = ROOT / name
        inside = place.rglob("*") if place.is_dir() else iter((place,))
        found += [path for path in inside if path.is_file() and "__pycache__" not in path.parts]
    return sorted(found)


@contextmanager
def _one_at_a_time(progress: Progress) -> Iterator[None]:
    """Let one process of this checkout build; the others wait for it."""
    (ROOT / ".lab").mkdir(exist_ok=True)
    with (ROOT / ".lab" / "images.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress("another process is building images; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Build the images that are named, or both."""
    known = {"node": ensure_node_image, "dev": ensure_dev_image}
    unknown = set(arguments) - set(known)
    if unknown:
        say(f"images are {' and '.join(known)}, not {', '.join(sorted(unknown))}")
        return 2
    try:
        for name in arguments or known:
            print(known[name](say))
    except SetupError as broken:
        say(str(broken))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
