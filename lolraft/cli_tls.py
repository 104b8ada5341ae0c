"""The TLS files on a command line: the same options for everything that dials or serves."""

from __future__ import annotations

import argparse
from pathlib import Path

from lolraft.config import Tls
from lolraft.errors import ConfigError


def add_tls_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --tls-certificate, --tls-key and --tls-ca, which `tls_of` reads."""
    for name in ("certificate", "key", "ca"):
        parser.add_argument(f"--tls-{name}", type=Path, metavar="FILE", help="PEM, for https ids")


def tls_of(options: argparse.Namespace) -> Tls | None:
    """
    Return the TLS files of a command line, None without any.

    Raises:
        ConfigError: some are missing.
    """
    files = (options.tls_certificate, options.tls_key, options.tls_ca)
    if not any(files):
        return None
    if not all(files):
        raise ConfigError("--tls-certificate, --tls-key and --tls-ca go together")
    return Tls(certificate=files[0], key=files[1], ca=files[2])


def tls_arguments(tls: Tls | None) -> list[str]:
    """Return the part of a command line from which `tls_of` reads *tls* again."""
    if tls is None:
        return []
    files = {"certificate": tls.certificate, "key": tls.key, "ca": tls.ca}
    return [word for name, file in files.items() for word in (f"--tls-{name}", str(file.resolve()))]
