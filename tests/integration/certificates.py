"""Certificates for tests, made by `openssl`: authorities, and what they sign."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lolraft.config import Tls

NEEDS_OPENSSL = shutil.which("openssl") is None
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CONFIG = """
[ca]
default_ca = here
[here]
database = {place}/index
serial = {place}/serial
new_certs_dir = {place}
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
"""


class Authority:
    """One CA; its files, and those of everything that it signs, lie in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir()
        self.ca, self._key = place / "ca.pem", place / "ca.key"
        (place / "index").write_text("")
        (place / "serial").write_text("01\n")
        (place / "ca.cnf").write_text(CONFIG.format(place=place))
        _openssl("req", "-x509", *KEY, "-keyout", self._key, "-out", self.ca, "-days", "2",
                 "-subj", f"/CN={place.name}")  # fmt: skip

    def sign(
        self,
        name: str,
        *,
        until: str = "20991231000000Z",
        names: str = "DNS:localhost,IP:127.0.0.1",
    ) -> Tls:
        """Return a certificate, its key and this CA; it holds from 2020 *until* then."""
        certificate, key = self._place / f"{name}.pem", self._place / f"{name}.key"
        asked, more = self._place / f"{name}.csr", self._place / f"{name}.ext"
        more.write_text(f"subjectAltName={names}\n")
        _openssl("req", *KEY, "-keyout", key, "-out", asked, "-subj", f"/CN={name}")
        _openssl("ca", "-batch", "-notext", "-config", self._place / "ca.cnf", "-in", asked,
                 "-cert", self.ca, "-keyfile", self._key, "-extfile", more, "-out", certificate,
                 "-startdate", "20200101000000Z", "-enddate", until)  # fmt: skip
        return Tls(certificate=certificate, key=key, ca=self.ca)


def flags_of(tls: Tls) -> tuple[str, ...]:
    """Return the options of a command line that name these files."""
    files = {"certificate": tls.certificate, "key": tls.key, "ca": tls.ca}
    return tuple(part for name, file in files.items() for part in (f"--tls-{name}", str(file)))


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
