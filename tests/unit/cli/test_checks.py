"""`config check`, `doctor` and the start find the same faults, before anything is touched."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.checks import Severity, storage
from pacs_ai.cli.doctor import findings as doctor_findings
from pacs_ai.cli.listen import _checked_app
from pacs_ai.config import load_config
from pacs_ai.errors import ConfigError
from tests.conftest import require
from tests.unit.cli.conftest import Answer

STORAGE = "[storage]\nmin_free_gb = 0\n"

Command = Callable[..., Answer]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    openssl = require("openssl")
    (tmp_path / "pki").mkdir()
    for name in ("node", "other"):
        new = [
            "req",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-days",
            "365",
            "-subj",
            f"/CN={name}",
        ]
        files = ["-keyout", f"pki/{name}.key", "-out", f"pki/{name}.crt"]
        subprocess.run([openssl, *new, *files], cwd=tmp_path, check=True, capture_output=True)
        (tmp_path / f"pki/{name}.key").chmod(0o600)
    return tmp_path


def spool_is_a_file(folder: Path) -> str:
    (folder / "taken").touch()
    return '[storage]\nmin_free_gb = 0\nspool = "taken"\n'


def spool_below_a_file(folder: Path) -> str:
    (folder / "taken").touch()
    return '[storage]\nmin_free_gb = 0\nspool = "taken/spool"\n'


def site_key_for_all(folder: Path) -> str:
    (folder / "var/spool").mkdir(parents=True)
    (folder / "var/spool/site.key").write_bytes(bytes(32))
    (folder / "var/spool/site.key").chmod(0o644)
    return STORAGE


def database_is_a_folder(folder: Path) -> str:
    (folder / "rows").mkdir()
    return '[storage]\nmin_free_gb = 0\ndatabase = "sqlite:///rows"\n'


def database_is_noise(folder: Path) -> str:
    (folder / "rows").write_bytes(bytes(range(256)) * 64)
    return '[storage]\nmin_free_gb = 0\ndatabase = "sqlite:///rows"\n'


def tls(certificate: str, key: str) -> str:
    return f'{STORAGE}[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'


def certificate_missing(_folder: Path) -> str:
    return tls("absent.pem", "absent.key")


def key_of_another(_folder: Path) -> str:
    return tls("pki/node.crt", "pki/other.key")


def key_for_all(folder: Path) -> str:
    (folder / "pki/node.key").chmod(0o644)
    return tls("pki/node.crt", "pki/node.key")


def ports_equal(_folder: Path) -> str:
    return (
        f"{STORAGE}[node]\nport = 4242\n[tls]\nport = 4242\nplain = true\n"
        'certificate = "pki/node.crt"\nkey = "pki/node.key"\n'
    )


def spool_is_a_link_to_nothing(folder: Path) -> str:
    (folder / "taken").symlink_to(folder / "nothing")
    return '[storage]\nmin_free_gb = 0\nspool = "taken"\n'


def spool_of_a_lost_database(folder: Path) -> str:
    (folder / "spool").mkdir()
    for name in ("site.key", "database.id"):
        (folder / "spool" / name).write_text("0" * 32)
        (folder / "spool" / name).chmod(0o600)
    return '[storage]\nmin_free_gb = 0\nspool = "spool"\n'


def users_missing(_folder: Path) -> str:
    return STORAGE + '[node]\nusers = "users"\n'


def users_for_all(folder: Path) -> str:
    (folder / "users").write_text("me:secret\n")
    (folder / "users").chmod(0o644)
    return STORAGE + '[node]\nusers = "users"\n'


def font_is_none(folder: Path) -> str:
    (folder / "font.ttf").write_text("no font")
    return STORAGE + '[results]\nfont = "font.ttf"\n'


def bundle_missing(_folder: Path) -> str:
    return STORAGE + '[models.m]\nbundle = "no/such"\n[[rules]]\nname = "r"\nmodel = "m"\n'


def bundle_altered(folder: Path) -> str:
    shutil.copytree(Path(__file__).parents[3] / "pacs_ai/bundles/demo", folder / "b")
    with (folder / "b/model.onnx").open("ab") as stream:
        stream.write(b"x")
    return STORAGE + '[models.m]\nbundle = "./b"\n[[rules]]\nname = "r"\nmodel = "m"\n'


def pattern_never_matches(_folder: Path) -> str:
    return STORAGE + (
        '[[rules]]\nname = "r"\nmodel = "demo"\nwhen = { BodyPartExamined = "^CHEST.*$" }\n'
    )


def host_of_another_machine(_folder: Path) -> str:
    return STORAGE + '[node]\nhost = "192.0.2.1"\n'


def key_with_a_passphrase(folder: Path) -> str:
    openssl = require("openssl")
    options = ["-aes256", "-passout", "pass:secret", "-out", "pki/node.key", "2048"]
    subprocess.run([openssl, "genrsa", *options], cwd=folder, check=True, capture_output=True)
    (folder / "pki/node.key").chmod(0o600)
    return tls("pki/node.crt", "pki/node.key")


def certificate_is_a_key(_folder: Path) -> str:
    return tls("pki/node.key", "pki/node.key")


def key_is_no_pem(folder: Path) -> str:
    (folder / "pki/node.key").write_bytes(bytes(range(256)))
    return tls("pki/node.crt", "pki/node.key")


def authorities_are_a_folder(_folder: Path) -> str:
    return tls("pki/node.crt", "pki/node.key") + 'ca = "pki"\n'


def user_twice(folder: Path) -> str:
    (folder / "users").write_text("me:one\nyou:two\nme:three\n")
    (folder / "users").chmod(0o600)
    return STORAGE + '[node]\nusers = "users"\n'


FAULTS = {
    host_of_another_machine: "cannot listen on 192.0.2.1",
    key_with_a_passphrase: "is protected by a passphrase",
    certificate_is_a_key: "there is no PEM certificate in it",
    key_is_no_pem: "damaged, or no PEM file",
    authorities_are_a_folder: "pki is a folder, not a file",
    user_twice: "line 3 names a user a second time",
    spool_is_a_file: "taken is a file",
    spool_is_a_link_to_nothing: "taken is a link that leads to nothing",
    spool_below_a_file: "taken is a file",
    spool_of_a_lost_database: "belongs to another database",
    site_key_for_all: "site.key: chmod 600",
    database_is_a_folder: "database",
    database_is_noise: "no connection, or no database",
    certificate_missing: "absent.pem is not there",
    key_of_another: "is not that of",
    key_for_all: "node.key: chmod 600",
    ports_equal: "both 4242",
    users_missing: "users is not there",
    users_for_all: "everybody may read it",
    font_is_none: "font.ttf",
    bundle_missing: "no/such",
    bundle_altered: "b",
    pattern_never_matches: "[[rules]] number 1 ('r'): BodyPartExamined = '^CHEST.*$'",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_by_all_three(
    fault: Callable[[Path], str], folder: Path, pacs_ai: Command
) -> None:
    path = folder / "pacs-ai.toml"
    path.write_text(fault(folder))
    before = sorted(folder.rglob("*"))
    checked = pacs_ai("config", "check")
    assert checked.code == 2
    assert FAULTS[fault] in checked.err
    assert "[node]" not in checked.out
    settings = load_config(path)
    with pytest.raises(ConfigError) as caught:
        _checked_app(settings)
    assert checked.err == f"pacs-ai: CONFIG: {' '.join(str(caught.value).split())}\n"
    found = [one for one in doctor_findings(settings) if one.remedy]
    assert any(FAULTS[fault].split(":")[0] in one.text for one in found)
    assert sorted(folder.rglob("*")) == before, "looking changes nothing"


def test_everything_in_order(folder: Path, pacs_ai: Command) -> None:
    (folder / "pacs-ai.toml").write_text(
        STORAGE + '[tls]\ncertificate = "pki/node.crt"\nkey = "pki/node.key"\n'
    )
    checked = pacs_ai("config", "check")
    assert (checked.code, checked.err) == (0, "")


def test_a_version_that_is_gone_is_said_once(folder: Path, pacs_ai: Command) -> None:
    rule = '[[rules]]\nname = "r"\nmodel = "m"\n'
    models = '[models.m]\nbundle = "demo"\n[models."m@2"]\nbundle = "no/such"\n'
    (folder / "pacs-ai.toml").write_text(STORAGE + models + rule)
    checked = pacs_ai("config", "check")
    assert (checked.code, checked.err.count("no/such")) == (2, 1)


def test_what_is_only_doubtful_is_said_and_starts(folder: Path, pacs_ai: Command) -> None:
    (folder / "pacs-ai.toml").write_text(
        STORAGE + '[[rules]]\nname = "r"\nmodel = "demo"\nwhen = { StudyDescription = "<3" }\n'
    )
    checked = pacs_ai("config", "check")
    assert checked.code == 0
    assert "WARNING: [[rules]] number 1 ('r'): StudyDescription = '<3'" in checked.err


def test_a_folder_without_rights(
    folder: Path, pacs_ai: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights are asked for through the system call: root would have them everywhere."""
    closed = folder / "closed"
    closed.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and real(path, mode))
    (folder / "pacs-ai.toml").write_text('[storage]\nspool = "closed/spool"\n')
    checked = pacs_ai("config", "check")
    assert checked.code == 2
    assert "closed is not writable for this user" in checked.err


def test_a_database_server_that_is_not_up_yet_is_waited_for(folder: Path, pacs_ai: Command) -> None:
    """Exit code 2 is for what stays wrong: the unit does not start the node again after it."""
    (folder / "pacs-ai.toml").write_text(
        '[storage]\nmin_free_gb = 0\ndatabase = "postgresql://me:secret@127.0.0.1:1/rows"\n'
    )
    checked = pacs_ai("config", "check")
    assert checked.code == 1
    assert checked.err.startswith("pacs-ai: STORAGE: storage.database: no connection;")
    assert "secret" not in checked.err + checked.out


@pytest.mark.parametrize(
    ("url", "doubtful"),
    [
        ("postgresql+psycopg://a@db.example/x", True),
        ("postgresql+psycopg://a@db.example/x?sslmode=prefer", True),
        ("postgresql+psycopg://a@/x?host=db.example", True),
        ("postgresql+psycopg://a@db.example/x?sslmode=verify-full", False),
        ("postgresql+psycopg://a@127.0.0.1/x", False),
        ("postgresql+psycopg://a@/x?host=/run/postgresql", False),
        ("sqlite:////x", False),
    ],
)
def test_a_database_on_another_machine_without_tls_is_doubtful(url: str, *, doubtful: bool) -> None:
    found = list(storage._clear_text(url))
    assert [one.severity is Severity.WARNING for one in found] == [True] * doubtful
