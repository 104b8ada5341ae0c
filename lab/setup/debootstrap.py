"""A base image from a Debian mirror, for machines that reach no image registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.setup.shell import Progress, SetupError, run

LOCAL_BASE = "lolraft-base:debian"
OLDEST_SUITE = "bookworm"  # The first Debian whose Python is 3.11.
PACKAGES = "ca-certificates,iptables,python3,python3-pip,python3-venv"
HOST_CERTIFICATES = Path("/usr/local/share/ca-certificates")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def make_base(progress: Progress) -> None:
    """
    Make `LOCAL_BASE`: a minimal Debian with Python, and with this machine's own certificates.

    Raises:
        SetupError: not root, no debootstrap, or the mirror does not answer.
    """
    if os.geteuid() != 0:
        raise SetupError(
            "no image registry is in reach, and making a base image here needs root: run this once"
            " with sudo, or name an image with Python 3.11 in LOLRAFT_BASE_IMAGE"
        )
    _need_debootstrap(progress)
    suite, mirror = suite_and_mirror()
    progress(f"making a base image with debootstrap from {suite} (about a minute)")
    with tempfile.TemporaryDirectory(prefix="lolraft-base-") as directory:
        tree = Path(directory) / "tree"
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(tree)]
        run(command + ([mirror] if mirror else []), what="debootstrap")
        changes = _add_certificates(tree)
        _empty_caches(tree)
        progress("importing it")
        _import(tree, changes)


def _need_debootstrap(progress: Progress) -> None:
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise SetupError(
            "no image registry is in reach, and there is no debootstrap here: install it, or name"
            " an image with Python 3.11 in LOLRAFT_BASE_IMAGE"
        )
    progress("installing debootstrap")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(("apt-get", "install", "-y", "-q", "debootstrap"), what="apt-get", env=quiet)
    except SetupError:  # The package lists may be old, or not there yet.
        run(("apt-get", "update", "-q"), what="apt-get update", env=quiet)
        run(("apt-get", "install", "-y", "-q", "debootstrap"), what="apt-get", env=quiet)


def suite_and_mirror(etc: Path = Path("/etc")) -> tuple[str, str]:
    """Return this machine's Debian suite and mirror; else a suite with debootstrap's own mirror."""
    release = _release(etc / "os-release")
    number = release.get("VERSION_ID", "")
    suite = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not suite:
        return OLDEST_SUITE, ""
    if number.isdigit() and int(number) < 12:
        suite = OLDEST_SUITE
    for uri, suites in _sources(etc / "apt"):
        if release["VERSION_CODENAME"] in suites:
            return suite, uri
    return suite, ""


def _release(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip().strip('"') for name, _, value in pairs}


def _sources(apt: Path) -> list[tuple[str, list[str]]]:
    """Return (URI, suites) of every source of binary packages, in both forms of the files."""
    found: list[tuple[str, list[str]]] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if path.exists():
            for line in path.read_text().splitlines():
                match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
                if match:
                    found.append((match[1], [match[2]]))
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            uris = re.search(r"^URIs:\s*(\S+)", stanza, re.MULTILINE)
            suites = re.search(r"^Suites:\s*(.+)$", stanza, re.MULTILINE)
            if uris and suites:
                found.append((uris[1], suites[1].split()))
    return found


def _add_certificates(tree: Path) -> list[str]:
    """Trust what this machine trusts: behind a proxy of its own nothing could be installed else."""
    own = sorted(HOST_CERTIFICATES.rglob("*.crt")) if HOST_CERTIFICATES.is_dir() else []
    if not own:
        return []
    for certificate in own:
        shutil.copy(certificate, tree / str(HOST_CERTIFICATES)[1:] / certificate.name)
    run(("chroot", str(tree), "update-ca-certificates"), what="installing the certificates")
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    return [f"ENV {name}={BUNDLE}" for name in names]


def _empty_caches(tree: Path) -> None:
    for place in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(tree / place, ignore_errors=True)
        (tree / place / "partial").mkdir(parents=True)


def _import(tree: Path, changes: list[str]) -> None:
    command = ["docker", "import"]
    for change in ['CMD ["bash"]', *changes]:
        command += ["--change", change]
    packing = subprocess.Popen(
        ("tar", "--create", "--numeric-owner", "--directory", str(tree), "."),
        stdout=subprocess.PIPE,
    )
    importing = subprocess.run(
        [*command, "-", LOCAL_BASE], stdin=packing.stdout, capture_output=True, check=False
    )
    assert packing.stdout is not None, "it is piped"
    packing.stdout.close()
    if packing.wait() or importing.returncode:
        raise SetupError(f"docker import failed: {importing.stderr.decode(errors='replace')}")
