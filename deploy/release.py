"""Fill in what a release pins: digests of the images, and the list of all that is in it (SBOM).

``python -m deploy.release FOLDER`` asks the registries for the digests behind the tags of
``compose.yaml`` and ``Dockerfile``, and writes

- ``compose.release.yaml``: ``docker compose -f compose.yaml -f FOLDER/compose.release.yaml up``;
- ``Dockerfile`` and ``Dockerfile.dockerignore``, the same as here but for the digests;
- ``sbom.cdx.json``, the locked packages of the base install with their hashes and these images, as
  CycloneDX has it;
- ``SHA256SUMS`` of all of these.

Nobody writes a digest by hand. The tags are pinned in the repository, the digests in the release.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from pacs_ai import __version__

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
HUB = "registry-1.docker.io"
"""The registry of images whose name has no host."""

_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
"""An index first: it is the same for all processors (OCI Distribution, "Pulling manifests")."""

_FROM = re.compile(r"^(FROM )(\S+)", re.MULTILINE)
_REFERENCE = re.compile(r"(?P<name>[^:@]+(?::\d+/[^:@]+)?):(?P<tag>[\w.-]+)")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SECONDS = 60


class ReleaseError(Exception):
    """The release cannot be made; the message says why."""


def digest_of(image: str) -> str:
    """Ask the registry of an image for the digest of its manifest.

    Parameters
    ----------
    image
        Name and tag; without a host it is one of Docker Hub. A registry on this machine is asked
        without TLS.

    Returns
    -------
    str
        ``sha256:`` and 64 digits: the hash of the manifest that was received.

    Raises
    ------
    ReleaseError
        If there is no such image, or the registry does not answer as it should.
    """
    host, name, tag = _split(image)
    scheme = "http" if host.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
    url = f"{scheme}://{host}/v2/{name}/manifests/{tag}"
    try:
        content, said = _manifest(url, name)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{image}: {url}: {error}") from error
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if said not in ("", found):
        raise ReleaseError(f"{image}: the registry says {said}, and sent {found}")
    return found


def _split(image: str) -> tuple[str, str, str]:
    match = _REFERENCE.fullmatch(image)
    if match is None:
        raise ReleaseError(f"{image}: an image needs a name and a tag")
    first, _, rest = match["name"].partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return first, rest, match["tag"]
    return HUB, match["name"] if rest else f"library/{first}", match["tag"]


def _manifest(url: str, name: str) -> tuple[bytes, str]:
    """Get a manifest, with a token if the registry wants one; and the digest that it states."""
    try:
        return _get(url, {})
    except urllib.error.HTTPError as refused:
        challenge = refused.headers.get("WWW-Authenticate", "")
        if refused.code != 401 or not challenge.lower().startswith("bearer "):  # noqa: PLR2004
            raise
    asked = dict(_CHALLENGE.findall(challenge))
    query = {"service": asked.get("service", ""), "scope": f"repository:{name}:pull"}
    answer = json.loads(_get(f"{asked['realm']}?{urlencode(query)}", {})[0])
    token = answer.get("token") or answer["access_token"]
    return _get(url, {"Authorization": f"Bearer {token}"})


def _get(url: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    request = urllib.request.Request(url, headers={"Accept": _MANIFESTS, **headers})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - http(s) only
        return answer.read(), answer.headers.get("Docker-Content-Digest", "")


def images_of(compose: Path, dockerfile: Path) -> dict[str, str]:
    """Return the images that are taken from registries: service, or ``FROM``, to name and tag."""
    services = yaml.safe_load(compose.read_text("utf-8"))["services"]
    found = {name: one["image"] for name, one in services.items() if "build" not in one}
    for _, image in _FROM.findall(dockerfile.read_text("utf-8")):
        found[f"FROM {image}"] = image
    return found


def release(folder: Path, compose: Path, dockerfile: Path) -> None:
    """Write all files of a release into a folder that is empty or new."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ReleaseError(f"{folder} is not empty")
    images = images_of(compose, dockerfile)
    digests = {image: digest_of(image) for image in dict.fromkeys(images.values())}
    services = {
        name: {"image": f"{image}@{digests[image]}"}
        for name, image in images.items()
        if not name.startswith("FROM ")
    }
    override = "# Made by python -m deploy.release\n" + yaml.safe_dump({"services": services})
    (folder / "compose.release.yaml").write_text(override, "utf-8")
    pinned = _FROM.sub(
        lambda found: f"{found[1]}{found[2]}@{digests[found[2]]}", dockerfile.read_text("utf-8")
    )
    (folder / "Dockerfile").write_text(pinned, "utf-8")
    shutil.copy(dockerfile.with_name("Dockerfile.dockerignore"), folder)
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(digests), indent=1) + "\n", "utf-8")
    _write_sums(folder)


def sbom(digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the SBOM: the lock of the base install, and images with their digests.

    Its serial number follows from its contents: the same release has the same SBOM.
    """
    made = subprocess.run(  # noqa: S603 - our own environment
        [
            *(sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"),
            *("--pyproject", str(ROOT / "pyproject.toml"), str(ROOT / "requirements" / "base.txt")),
        ],
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(made.stdout)
    found["metadata"]["component"]["version"] = __version__
    for component in found["components"]:
        component.update(_licence(component["name"], component["version"]))
    found["components"] += [_component(image, digest) for image, digest in sorted(digests.items())]
    contents = json.dumps(found, sort_keys=True)
    found["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, contents).urn
    return found


def _licence(package: str, wanted: str) -> dict[str, Any]:
    """Return the licence that a package states as an expression, if this version is installed."""
    try:
        metadata = distribution(package).metadata
    except PackageNotFoundError:
        return {}
    stated = metadata.get("License-Expression")
    same = metadata["Version"] == wanted
    return {"licenses": [{"expression": stated}]} if stated and same else {}


def _component(image: str, digest: str) -> dict[str, Any]:
    host, name, tag = _split(image)
    return {
        "type": "container",
        "bom-ref": f"{image}@{digest}",
        "name": f"{host}/{name}",
        "version": tag,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
    }


def _write_sums(folder: Path) -> None:
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
    ]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="empty or new")
    given = parser.parse_args(None if arguments is None else list(arguments))
    try:
        release(given.folder, DEPLOY / "compose.yaml", DEPLOY / "Dockerfile")
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
