"""The kinds of ``[peers.x]`` and the keys of each."""

import re
from pathlib import Path

import pytest

from pacs_ai.config import load_config, sent_to
from pacs_ai.errors import ConfigError

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
        ('kind = "tape"', "peers.x: kind must be 'dimse' or 'dicomweb' or 'folder'"),
        ("kind = 3", "peers.x: kind must be 'dimse' or 'dicomweb' or 'folder'"),
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
