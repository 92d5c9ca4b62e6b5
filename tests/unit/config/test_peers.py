"""The kinds of ``[peers.x]`` and the keys of each."""

import re
from pathlib import Path

import pytest

from pacs_ai.config import load_config, sent_to
from pacs_ai.errors import ConfigError

TOLD = 'on = ["failed"]\nto = ["hook"]\n'
RULE = '[[rules]]\nname = "all"\nmodel = "demo"\nsend_to = ["pacs"]\n'


def write(text: str) -> Path:
    path = Path("node.toml")
    path.write_text(text)
    return path


def test_a_folder_gets_documents_and_objects() -> None:
    peer = '[peers.pacs]\nkind = "folder"\npath = "out"\n'
    config = load_config(write(f'{peer}{RULE}results = ["report", "hl7"]\n'))
    assert sent_to(config.rules[0], config.peers["pacs"]) == ("report", "hl7")
    assert config.peers["pacs"].path == Path.cwd() / "out"
    assert config.dimse_peers == {}


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('kind = "tape"', "peers.x: kind must be 'dimse' or 'dicomweb' or 'folder' or"),
        ("kind = 3", "peers.x: kind must be 'dimse' or 'dicomweb' or 'folder' or"),
        ('kind = "dicomweb"', "peers.x.url: is missing"),
        ('kind = "dicomweb"\nurl = "ftp://x"', "peers.x.url: must be an address that begins"),
        ('kind = "dicomweb"\nurl = "http://u:p@x"', "peers.x.url: must not hold a password"),
        ('kind = "dicomweb"\nurl = "https://x"\nuser = "u"', "need each other"),
        (
            'kind = "dicomweb"\nurl = "http://pacs"\ntoken_file = "t"',
            "peers.x: a password or token needs https:// for another machine",
        ),
        ('kind = "dicomweb"\nurl = "https://x"\ntoken = "t"', "peers.x.token: unknown key"),
        ('kind = "folder"', "peers.x.path: is missing"),
        ('kind = "folder"\npath = ""', "peers.x.path: must not be empty"),
        ('kind = "folder"\npath = "a"\nhost = "b"', "peers.x.host: unknown key"),
        ('kind = "folder"\npaath = "a"', "peers.x.paath: unknown key; did you mean 'path'?"),
        ('kind = "dimse"\nae_title = "A"\nhost = "h"', "peers.x.port: is missing"),
    ],
)
def test_a_peer_has_the_keys_of_its_kind(section: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        load_config(write(f"[peers.x]\n{section}\n"))


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('on = ["failed"]\nto = ["desk"]', "no peer 'desk' of the kind webhook or mail"),
        ('on = ["failed"]\nto = ["pacs"]', "no peer 'pacs' of the kind webhook or mail"),
        ('on = ["late"]\nto = ["hook"]', "notifications, value 1.on, value 1: must be 'positive'"),
        ('on = ["failed"]\nto = ["hook"]\nrules = ["x"]', "no rule 'x' (known: everything)"),
        ('on = ["failed"]\nto = ["hook"]\nabove = 0.5', 'findings and above need "positive"'),
        ('on = ["positive"]\nto = ["hook"]\nabove = 2', "above: must be at most 1"),
        ('on = ["failed"]\nto = ["hook"]\ntext = "$patient"', "$patient is not known"),
        ('on = ["failed"]\nto = ["hook"]\ntext = "5 $"', "write $$ for a dollar sign"),
        (f'{TOLD}[[notifications]]\nname = "n"\n{TOLD}', "another one has the same name"),
    ],
)
def test_a_notification_names_what_there_is(section: str, says: str) -> None:
    peers = '[peers.hook]\nkind = "webhook"\nurl = "https://x"\n'
    peers += '[peers.pacs]\nkind = "folder"\npath = "out"\n'
    with pytest.raises(ConfigError, match=re.escape(says)):
        load_config(write(f'{peers}[[notifications]]\nname = "n"\n{section}\n'))


def test_a_peer_of_documents_gets_documents_alone() -> None:
    peer = '[peers.pacs]\nkind = "mllp"\nhost = "h"\nport = 2575\n'
    config = load_config(write(f'{peer}{RULE}results = ["report", "hl7", "fhir"]\n'))
    assert sent_to(config.rules[0], config.peers["pacs"]) == ("hl7",)
    with pytest.raises(ConfigError, match="peer 'pacs' takes none of its results"):
        load_config(write(f"{peer}{RULE}"))
