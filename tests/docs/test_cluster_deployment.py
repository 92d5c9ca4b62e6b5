"""The examples of a cluster in deploy/ agree with each other and with what they start."""

import importlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pacs_ai.config import Config, load_config

VERSIONS = ("1.33", "1.37")
MOUNTED = "/etc/pacs-ai/pacs-ai.toml"


@pytest.fixture(scope="module")
def kubernetes_validate() -> ModuleType:
    """Imported where it is used: it takes seconds, in each process that collects tests."""
    return importlib.import_module("kubernetes_validate")


@pytest.fixture(scope="module")
def deploy(root: Path) -> Path:
    return root / "deploy"


@pytest.fixture(scope="module")
def manifests(deploy: Path) -> list[dict[str, Any]]:
    files = sorted((deploy / "kubernetes").glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


@pytest.fixture(scope="module")
def services(deploy: Path) -> dict[str, Any]:
    text = (deploy / "compose.cluster.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def of_kind(manifests: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: one["spec"]["template"]["spec"]
        for name, one in of_kind(manifests, "StatefulSet", "Job").items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_fit_the_schema_of_kubernetes(
    manifests: list[dict[str, Any]], kubernetes_validate: ModuleType, version: str
) -> None:
    assert len(manifests) >= 9
    for one in manifests:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_manifest_that_does_not_fit_is_found(
    manifests: list[dict[str, Any]], kubernetes_validate: ModuleType
) -> None:
    wrong = {**manifests[0], "dta": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def check_cluster(config: Config) -> None:
    assert config.engine.kind == "procrastinate"
    assert config.storage.database.startswith("postgresql")
    assert not config.web.enabled, "its port would be taken on all interfaces"


def test_the_configurations_are_those_of_a_cluster(
    manifests: list[dict[str, Any]],
    deploy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PACS_AI_WEB_ENABLED", raising=False)
    check_cluster(load_config(deploy / "cluster.toml"))
    (content,) = of_kind(manifests, "ConfigMap")["configuration"]["data"].values()
    (tmp_path / "pacs-ai.toml").write_text(content)
    monkeypatch.setenv("PACS_AI_STORAGE_DATABASE", "postgresql+psycopg://a@db.example/x")
    config = load_config(tmp_path / "pacs-ai.toml")
    check_cluster(config)
    for name, pod in pods(manifests).items():
        (container,) = pod["containers"]
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        assert mounts[str(config.storage.spool)] == "spool", name
        assert mounts[str(Path(MOUNTED).parent)] == "configuration"
        assert container["env"][0]["name"] == "PACS_AI_STORAGE_DATABASE"
        assert container["args"][-1] == MOUNTED


def test_pods_have_names_that_stay_and_few_rights(manifests: list[dict[str, Any]]) -> None:
    named = of_kind(manifests, "Service")
    for name, one in of_kind(manifests, "StatefulSet").items():
        service = named[one["spec"]["serviceName"]]["spec"]
        assert service["clusterIP"] == "None", name
        assert service["selector"] == one["spec"]["selector"]["matchLabels"]
    for pod in pods(manifests).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        own = pod["containers"][0]["securityContext"]
        assert (own["readOnlyRootFilesystem"], own["capabilities"]) == (True, {"drop": ["ALL"]})


def test_the_user_is_that_of_the_image(manifests: list[dict[str, Any]], deploy: Path) -> None:
    (number,) = re.findall(r"useradd .*--uid (\d+)", (deploy / "Dockerfile").read_text())
    assert {pod["securityContext"]["runAsUser"] for pod in pods(manifests).values()} == {
        int(number)
    }


def test_nodes_of_the_composition_share_all_but_their_name(services: dict[str, Any]) -> None:
    nodes = {name: one for name, one in services.items() if name.startswith(("listen", "work"))}
    assert len(nodes) == 5
    for name, one in nodes.items():
        assert one["hostname"] == name
        assert one["volumes"] == services["upgrade"]["volumes"]
        assert one["networks"] == ["cluster"]
        assert one["command"][0] == name.rstrip("0123456789")


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any], deploy: Path) -> None:
    ports = [port for one in services.values() for port in one.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    networks = yaml.safe_load((deploy / "compose.cluster.yaml").read_text())["networks"]
    assert networks["cluster"]["internal"] is True


def test_the_balancer_sends_to_all_that_listen(
    deploy: Path, services: dict[str, Any], tool: Callable[[str], Path]
) -> None:
    config = deploy / "haproxy" / "haproxy.cfg"
    subprocess.run([tool("haproxy"), "-c", "-f", config], check=True, capture_output=True)
    port = load_config(deploy / "cluster.toml").node.port
    servers = re.findall(r"^  server (\w+) (\w+):(\d+)$", config.read_text(), re.MULTILINE)
    listening = [name for name in services if name.startswith("listen")]
    assert servers == [(name, name, str(port)) for name in listening]


def test_the_image_of_a_cluster_has_the_driver_and_procrastinate(root: Path) -> None:
    lock = (root / "requirements" / "cluster.txt").read_text()
    assert re.search(r"^psycopg==", lock, re.MULTILINE)
    assert re.search(r"^procrastinate==", lock, re.MULTILINE)
    base = (root / "requirements" / "base.txt").read_text()
    wanted = set(re.findall(r"^[\w.-]+==\S+", base, re.MULTILINE))
    assert wanted <= set(re.findall(r"^[\w.-]+==\S+", lock, re.MULTILINE)), "other versions"
