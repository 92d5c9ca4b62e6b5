"""Certificates made by OpenSSL, good ones and such as go wrong in real life."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import require

CA = """
[ca]
default_ca = it
[it]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path

    def replace_by(self, other: "Pair") -> None:
        """Renew: the files of another pair under the names of this one."""
        for mine, theirs in ((self.key, other.key), (self.certificate, other.certificate)):
            fresh = mine.with_suffix(".new")
            fresh.write_bytes(theirs.read_bytes())
            fresh.chmod(0o600)
            fresh.rename(mine)


class Authority:
    """Signs what it is asked to, in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._program = require("openssl")
        (folder / "index").touch()
        (folder / "serial").write_text("01")
        (folder / "ca.conf").write_text(CA.format(folder=folder))
        made = self.self_signed(name)
        self.certificate, self._key = made.certificate, made.key

    def openssl(self, *arguments: str) -> None:
        subprocess.run(
            [self._program, *arguments], check=True, cwd=self.folder, capture_output=True
        )

    def self_signed(self, name: str, san: str = "") -> Pair:
        """Make a certificate that is its own authority."""
        pair = self._pair(name)
        more = ["-addext", f"subjectAltName={san}"] if san else []
        self.openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"),
            *("-subj", f"/CN={name}", "-keyout", str(pair.key), "-out", str(pair.certificate)),
            *more,
        )
        pair.key.chmod(0o600)
        return pair

    def sign(
        self,
        name: str,
        san: str = "IP:127.0.0.1,DNS:localhost",
        usage: str = "",
        until: str = "20491231235959Z",
    ) -> Pair:
        """Make a certificate; no ``san`` leaves its host names out."""
        pair, request = self._pair(name), self.folder / f"{name}.csr"
        self.openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(pair.key), "-out", str(request)),
        )
        extensions = self.folder / f"{name}.ext"
        lines = [f"subjectAltName={san}" if san else "", usage and f"extendedKeyUsage={usage}"]
        extensions.write_text("basicConstraints=CA:FALSE\n" + "\n".join(filter(None, lines)) + "\n")
        self.openssl(
            *("ca", "-batch", "-notext", "-config", "ca.conf", "-in", str(request)),
            *("-cert", str(self.certificate), "-keyfile", str(self._key)),
            *("-startdate", "20200101000000Z", "-enddate", until),
            *("-extfile", str(extensions), "-out", str(pair.certificate)),
        )
        pair.key.chmod(0o600)
        return pair

    def _pair(self, name: str) -> Pair:
        return Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
