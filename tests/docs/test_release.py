"""The release command: digests come from the registry, and from nowhere else."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy import release

INDEX = b'{"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
DIGEST = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"


class Registry(BaseHTTPRequestHandler):
    """A registry that has one manifest under every name, and wants a token first."""

    says = DIGEST

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/token?"):
            assert "scope=repository%3Adepartment%2Farchive%3Apull" in self.path
            self.answer(200, b'{"token": "canary"}')
        elif self.headers.get("Authorization") != "Bearer canary":
            realm = f"http://127.0.0.1:{self.server.server_port}/token"  # type: ignore[attr-defined]
            challenge = f'Bearer realm="{realm}",service="here",scope="repository:x:pull"'
            self.answer(401, b"{}", {"WWW-Authenticate": challenge})
        elif self.path == "/v2/department/archive/manifests/1.2.3":
            assert "image.index" in self.headers["Accept"]
            self.answer(200, INDEX, {"Docker-Content-Digest": self.says})
        else:
            self.answer(404, b"{}")

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sources(registry: str, tmp_path: Path) -> tuple[Path, Path]:
    """A compose file and a Dockerfile whose images are in the registry."""
    image = f"{registry}/department/archive:1.2.3"
    compose = tmp_path / "compose.yaml"
    services = {"archive": {"image": image}, "ours": {"image": "ours:1.0.0", "build": "."}}
    compose.write_text(yaml.safe_dump({"services": services}))
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM {image} AS build\nRUN true\nFROM {image}\n")
    dockerfile.with_name("Dockerfile.dockerignore").write_text("*\n")
    return compose, dockerfile


def test_a_release_pins_what_the_registry_has(
    sources: tuple[Path, Path], registry: str, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    release.release(folder, *sources)
    pinned = f"{registry}/department/archive:1.2.3@{DIGEST}"
    override = yaml.safe_load((folder / "compose.release.yaml").read_text())
    assert override == {"services": {"archive": {"image": pinned}}}
    assert (folder / "Dockerfile").read_text().count(f"FROM {pinned}") == 2
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len(list(folder.iterdir())) == 5
    made = (folder / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None
    components = {one["name"]: one for one in json.loads(made)["components"]}
    lock = (release.ROOT / "requirements" / "base.txt").read_text()
    assert {f"{name}=={one.get('version')}" for name, one in components.items()} >= {
        line.split()[0] for line in lock.splitlines() if "==" in line and "numpy" not in line
    }
    assert components[f"{registry}/department/archive"]["hashes"][0]["content"] == DIGEST[7:]
    assert components["pydantic"]["licenses"] == [{"expression": "MIT"}]


def test_a_registry_that_sends_something_else_than_it_says_is_refused(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "says", f"sha256:{'0' * 64}")
    with pytest.raises(release.ReleaseError, match="the registry says"):
        release.digest_of(f"{registry}/department/archive:1.2.3")


@pytest.mark.parametrize("name", ["department/archive:9", "department/archive"])
def test_an_image_that_is_not_there_is_named(registry: str, name: str) -> None:
    with pytest.raises(release.ReleaseError, match="department/archive"):
        release.digest_of(f"{registry}/{name}")


def test_names_without_a_host_are_those_of_docker_hub() -> None:
    assert release._split("python:3.12-slim") == (release.HUB, "library/python", "3.12-slim")
    assert release._split("ohif/app:v3.13.8") == (release.HUB, "ohif/app", "v3.13.8")
    assert release._split("quay.io/a/b:1") == ("quay.io", "a/b", "1")


def test_no_digest_is_written_by_hand(root: Path) -> None:
    images = release.images_of(root / "deploy" / "compose.yaml", root / "deploy" / "Dockerfile")
    assert len(images) >= 4
    assert [image for image in images.values() if "@" in image] == []
