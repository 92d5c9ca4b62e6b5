"""deploy/pacs-ai.toml shows every key there is, with the default in force."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pacs_ai.cli import run
from pacs_ai.config import Config, DimsePeer, FolderPeer, ModelEntry, Rule, load_config
from pacs_ai.config.completeness import StudyTiming
from pacs_ai.config.web import TrustedProxy

COMMENTED_KEY = re.compile(r"^#(?=[a-z_0-9]+ = )", re.MULTILINE)
# Shown with a value that makes sense, since the default is that there is none.
WITHOUT_DEFAULT = {
    "engine.device_memory",
    "audit.evidence_days",
    "audit.keep_days",
    "audit.syslog",
    "audit.ca",
    "audit.certificate",
    "audit.key",
    "limits.associations_per_peer",
    "limits.associations_per_minute",
    "node.users",
    "results.font",
    "web.trusted_proxy.role",
    "storage.keep_aside_days",
    "storage.keep_days",
    "tls.certificate",
    "tls.key",
    "tls.ca",
    "peers.archive.results",
    "peers.archive.tls",
    "peers.archive.ca",
    "peers.archive.certificate",
    "peers.archive.key",
    "peers.archive.per_minute",
    "peers.archive.pull_per_minute",
    "peers.archive.delete",
    "peers.archive.user",
    "peers.archive.passcode_file",
    "peers.archive.quiet_seconds",
    "peers.archive.max_wait_seconds",
    "peers.archive.release_seconds",
    "peers.archive.complete_when",
    "peers.archive.when_incomplete",
    "peers.archive.count_check",
    "peers.archive.count_peer",
    "study.count_peer",
    *(f"rules.{key}" for key in StudyTiming.model_fields),
    "models.demo.sha256",
    "bundles.folder",
    "bundles.trusted_keys",
    "routing.urgent",
    "rules.off_peak",
    "rules.series",
    "rules.priors",
}


TABLES = (  # shown as one value
    "rules.when",
    "rules.off_peak",
    "rules.series",
    "rules.priors",
    "routing.urgent",
    "web.trusted_proxy.roles",
    "peers.archive.delete",
)


@pytest.fixture(scope="module")
def example(root: Path) -> Path:
    return root / "deploy" / "pacs-ai.toml"


def keys(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Every key of a section with its default."""
    for name, field in model.model_fields.items():
        yield f"{prefix}.{name}", field.get_default(call_default_factory=True)


def expected() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found.update(keys(section, field.annotation))
    found.pop("study.modality")
    found.pop("web.trusted_proxy")
    found.update(keys("web.trusted_proxy", TrustedProxy))
    found.pop("study.release_seconds")
    found.update(
        (key, default)
        for key, default in keys("study.modality.DX", StudyTiming)
        if key.endswith("release_seconds")
    )
    found.update(keys("peers.archive", DimsePeer))
    found.update(keys("models.demo", ModelEntry))
    found.update(keys("rules", Rule))
    return found


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if prefix == "rules":
        value = value[0]
    if isinstance(value, dict) and prefix not in TABLES:
        for key, inner in value.items():
            yield from flatten(f"{prefix}.{key}" if prefix else key, inner)
    else:
        yield prefix, value


def test_it_is_what_init_makes_for_compose(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = "--aet AI_NODE --accept-from ORTHANC --archive ORTHANC@orthanc:4242"
    flags += " --storage /var/lib/pacs-ai"
    path = tmp_path / "pacs-ai.toml"
    assert run(["init", "--yes", *flags.split(), "--config", str(path)]) == 0, capsys.readouterr()
    if example.read_text() != path.read_text():
        pytest.fail(
            "change pacs_ai/config/template.toml, remove deploy/pacs-ai.toml, and make it again:"
            f" pacs-ai init --yes {flags} --config deploy/pacs-ai.toml",
            pytrace=False,
        )


def test_it_is_a_valid_configuration_as_it_stands(example: Path) -> None:
    config = load_config(example)
    assert config.node.ae_title == "AI_NODE"
    assert config.rules[0].send_to == ("archive",)


def test_it_is_valid_with_every_key_in_force(example: Path, tmp_path: Path) -> None:
    path = tmp_path / "pacs-ai.toml"
    path.write_text(COMMENTED_KEY.sub("", example.read_text()))
    load_config(path)


def test_it_shows_every_key_and_no_other(example: Path) -> None:
    shown = dict(flatten("", tomllib.loads(COMMENTED_KEY.sub("", example.read_text()))))
    assert sorted(shown) == sorted(expected())


def test_the_folder_that_it_describes_is_valid(example: Path, tmp_path: Path) -> None:
    described = re.search(r"^# \[peers\.watched\]\n(?:# .*\n)+", example.read_text(), re.MULTILINE)
    assert described is not None
    path = tmp_path / "pacs-ai.toml"
    path.write_text(re.sub(r"^# ", "", described[0], flags=re.MULTILINE))
    watched = load_config(path).peers["watched"]
    assert isinstance(watched, FolderPeer)
    assert watched.path == Path("/srv/results")


def test_what_is_commented_out_is_the_default(example: Path, tmp_path: Path) -> None:
    """Loading the example with and without the commented keys gives the same configuration."""
    text = example.read_text()
    optional = "|".join(re.escape(key.rsplit(".", 1)[1]) for key in WITHOUT_DEFAULT)
    with_defaults = []
    section = ""
    for line in text.splitlines():
        if found := re.match(r"\[+([a-zA-Z_.]+)\]+$", line):
            section = found[1]
        name = re.match(rf"#({optional}) = ", line)
        known = name is not None and f"{section}.{name[1]}" in WITHOUT_DEFAULT
        with_defaults.append(line if known else COMMENTED_KEY.sub("", line))
    path = tmp_path / "pacs-ai.toml"
    path.write_text("\n".join(with_defaults))
    assert load_config(path) == load_config(example)
