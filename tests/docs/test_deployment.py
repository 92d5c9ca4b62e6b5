"""The files of deploy/ agree with each other and with what they start."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pacs_ai.config import load_config

PINNED = re.compile(r"^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*$")


@pytest.fixture(scope="module")
def deploy(root: Path) -> Path:
    return root / "deploy"


@pytest.fixture(scope="module")
def services(deploy: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((deploy / "compose.yaml").read_text())["services"]
    return found


def read_orthanc(path: Path) -> dict[str, Any]:
    """Orthanc's JSON has comments."""
    text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
    found: dict[str, Any] = json.loads(text)
    return found


def test_every_image_has_a_full_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert PINNED.match(service["image"]), name


def test_everything_mounted_is_there(services: dict[str, Any], deploy: Path) -> None:
    mounted = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert len(mounted) >= 4
    assert [path for path in mounted if not (deploy / path).exists()] == []


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_archive_and_node_know_each_other(services: dict[str, Any], deploy: Path) -> None:
    config = load_config(deploy / "pacs-ai.toml")
    shared = read_orthanc(deploy / "orthanc" / "orthanc.json")
    site = read_orthanc(deploy / "orthanc" / "site.json")
    node = site["DicomModalities"]["AI_NODE"]
    assert (node["AET"], node["Port"]) == (config.node.ae_title, config.node.port)
    assert node["Host"] == "pacs-ai"
    archive = config.peers["archive"]
    assert (archive.ae_title, archive.port) == (shared["DicomAet"], site["DicomPort"])
    assert {archive.host, node["Host"]} <= set(services)
    assert shared["DicomAet"] in config.node.accept_from
    assert set(shared).isdisjoint(site), "Orthanc refuses a key that stands in two files"


def test_the_node_has_no_way_out(deploy: Path, services: dict[str, Any]) -> None:
    networks = yaml.safe_load((deploy / "compose.yaml").read_text())["networks"]
    assert services["pacs-ai"]["networks"] == ["department"]
    assert networks["department"]["internal"] is True
    for name, service in services.items():
        if "network_mode" in service:
            assert service["network_mode"] == "service:pacs-ai"
            assert {"networks", "ports"}.isdisjoint(service), name
            continue
        assert "department" in service["networks"], name
        assert ("published" in service["networks"]) == ("ports" in service), name


def test_memory_is_limited_and_no_core_file_is_written(
    deploy: Path, services: dict[str, Any]
) -> None:
    for name, service in services.items():
        assert service["ulimits"] == {"core": 0}, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
    unit = (deploy / "pacs-ai.service").read_text()
    assert "\nLimitCORE=0\n" in unit
    assert re.search(r"^MemoryMax=", unit, re.MULTILINE)


def test_page_and_metrics_are_reached_through_the_network_of_the_node(
    deploy: Path, services: dict[str, Any]
) -> None:
    web = load_config(deploy / "pacs-ai.toml").web
    here = f"127.0.0.1:{web.port}"
    assert web.host == "127.0.0.1"
    written = tomllib.loads((deploy / "pacs-ai.toml").read_text()).get("web", {})
    assert written.get("enabled", True)
    page = (deploy / "nginx" / "page.conf").read_text()
    assert f"proxy_pass http://{here};" in page
    listens = re.findall(r"listen (\d+);", page)
    outer = (deploy / "nginx" / "default.conf").read_text()
    assert f"proxy_pass http://pacs-ai:{listens[0]};" in outer
    jobs = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert jobs[0]["static_configs"] == [{"targets": [here]}]
    sources = deploy / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    url = yaml.safe_load(sources.read_text())["datasources"][0]["url"]
    ports = {url.rpartition(":")[2], *listens}
    assert ports <= set(services["pacs-ai"]["expose"])
    boards = deploy / "grafana" / "provisioning" / "dashboards" / "pacs-ai.yaml"
    path = yaml.safe_load(boards.read_text())["providers"][0]["options"]["path"]
    assert f"./grafana/pacs-ai.json:{path}/pacs-ai.json:ro" in services["grafana"]["volumes"]


def test_published_ports_are_listened_on(deploy: Path, services: dict[str, Any]) -> None:
    proxied = {port.rpartition(":")[2] for port in services["proxy"]["ports"]}
    listens = re.findall(r"listen (\d+);", (deploy / "nginx" / "default.conf").read_text())
    assert proxied == set(listens)


def test_telemetry_is_off_wherever_the_node_runs(deploy: Path, services: dict[str, Any]) -> None:
    switch = "ORT_DISABLE_TELEMETRY"
    assert services["pacs-ai"]["environment"][switch] == "1"
    assert f"{switch}=1" in (deploy / "Dockerfile").read_text()
    assert f"Environment={switch}=1" in (deploy / "pacs-ai.service").read_text()


def test_viewer_and_proxy_use_the_archives_paths(deploy: Path) -> None:
    web = read_orthanc(deploy / "orthanc" / "orthanc.json")["DicomWeb"]
    viewer = (deploy / "ohif" / "app-config.js").read_text()
    proxy = (deploy / "nginx" / "default.conf").read_text()
    for path in (web["Root"].strip("/"), web["WadoRoot"].strip("/")):
        assert f"'/{path}'" in viewer
        assert re.search(rf"\b{path}\b", proxy)
    assert not re.search(r"https?://", viewer), "the viewer must ask nobody else"


def test_image_is_built_without_tensorflow_and_runs_as_nobody(deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text()
    assert "\nARG LOCK=base\n" in text
    assert "requirements/${LOCK}.txt" in text
    assert "dev.txt" not in text
    assert "--require-hashes" in text
    final = text[text.rindex("\nFROM ") :]
    assert "\nUSER pacs-ai\n" in final


def test_scripts_are_understood_by_the_shell(deploy: Path) -> None:
    scripts = sorted(deploy.glob("*.sh"))
    assert len(scripts) == 2
    for script in scripts:
        assert script.stat().st_mode & 0o111, script.name
        subprocess.run(["/bin/sh", "-n", script], check=True)


def test_unit_file_is_valid(deploy: Path, tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "pacs-ai.service"
    text = (deploy / "pacs-ai.service").read_text().replace("/opt/pacs-ai/bin/pacs-ai", "/bin/true")
    unit.write_text(text)
    done = subprocess.run([verifier, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
