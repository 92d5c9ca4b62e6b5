import os
from collections import UserDict
from pathlib import Path

import pytest

from pacs_ai.config import describe, load_config, sent_to
from pacs_ai.errors import ConfigError


def write(text: str, name: str = "node.toml") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_everything_lies_in_the_state_folder(tmp_path: Path):
    config = load_config()
    assert config.storage.spool == tmp_path / "state/pacs-ai/spool"
    assert config.storage.database == f"sqlite:///{tmp_path}/state/pacs-ai/pacs-ai.db"
    assert config.node.host == "127.0.0.1"
    assert [rule.model for rule in config.rules] == ["demo"]


def test_the_file_in_the_working_folder_is_found(tmp_path: Path):
    write('[node]\nae_title = "HERE"\n', "pacs-ai.toml")
    config = load_config()
    assert config.node.ae_title == "HERE"
    assert config.storage.spool == tmp_path / "var/spool"


def test_flags_beat_environment_beats_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = write('[node]\nae_title = "FILE"\nport = 1\nhost = "file"\n')
    monkeypatch.setenv("PACS_AI_NODE_PORT", "2")
    monkeypatch.setenv("PACS_AI_NODE_HOST", "environment")
    monkeypatch.setenv("PACS_AI_STORAGE_SPOOL", "here")
    monkeypatch.setenv("PACS_AI_SERVICE_HOST", "set by an orchestrator")
    config = load_config(path, {"node": {"port": 3, "host": None}})
    assert (config.node.ae_title, config.node.port) == ("FILE", 3)
    assert config.node.host == "environment"
    assert config.storage.spool == tmp_path / "here"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[node]\nae_titel = "X"\n', "node.ae_titel: unknown key"),
        ('[nodes]\nae_title = "X"\n', "nodes: unknown key"),
        ("[node]\nport = 99999\n", "node.port"),
        ('[node]\nae_title = "SEVENTEEN LETTERS"\n', "node.ae_title"),
        ('[node]\nae_title = "BACK\\\\SLASH"\n', "node.ae_title"),
        ('[node]\nae_title = "   "\n', "node.ae_title"),
        ('[[rules]]\nname = "r"\nmodel = "none"\n', "no model 'none' \\(known: demo\\)"),
        ('[[rules]]\nname = "r"\nmodel = "demo"\nsend_to = ["pacs"]\n', "no peer 'pacs'"),
        ('[[rules]]\nname = "r"\nmodel = "demo"\n' * 2, "same name"),
        ('[storage]\ndatabase = "mysql://x"\n', "storage.database"),
        ('[tls]\ncertificate = "c.pem"\n', "belong together"),
        ("[node\n", "node.toml"),
        ('[node]\nhost = ""\n', "node.host"),
        ('[peers.p]\nae_title = "P"\nhost = "h"\nport = 0\n', "peers.p.port"),
        ('[models.x]\nbundle = "demo"\n', "there is none"),
        ('[node]\naccept_from = "PACS"\n', "node.accept_from: must be a list"),
        ('[node]\naccept_from = [""]\n', "node.accept_from, value 1: must be an AE title"),
        ('[node]\naccept_from = ["SEVENTEEN_LETTERS"]\n', "node.accept_from, value 1"),
        ('[node]\naccept_from = ["PACS@10.0.0.0/99"]\n', "node.accept_from, value 1"),
        ('[node]\naccept_from = ["PACS@"]\n', "node.accept_from, value 1"),
        ('[node]\naccept_from = ["PACS@pacs.example"]\n', "does not appear to be an IPv4 or IPv6"),
        ('[storage]\nspool = ""\n', "storage.spool: must not be empty"),
        ('[limits]\nmax_pdu = "1KiB"\n', "limits.max_pdu"),
        ('[limits]\nmax_pdu = "1GiB"\n', "limits.max_pdu"),
        ("[limits]\nmax_command = 0\n", "limits.max_command"),
        ("[limits]\nmax_instance = 0\n", "limits.max_instance: must be at least 1"),
        ('[node]\nae_titel = "X"\n', "did you mean 'ae_title'"),
        ('[peers.p]\nae_titel = "P"\nhost = "h"\nport = 1\n', "did you mean 'ae_title'"),
        ('[node]\nport = "many"\n', "node.port: must be a whole number"),
        ("[study]\nquiet_seconds = 0\n", "study.quiet_seconds: must be more than 0"),
        ("[study.modality.CT]\nquiet = 1\n", "study.modality.CT.quiet: unknown key"),
        ('[limits]\nmax_pdu = "much"\n', "limits.max_pdu: must be a size"),
        ('[log]\nlevel = "LOUD"\n', "log.level: must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ('[log]\ndebug_phi = "maybe"\n', "log.debug_phi: must be true or false"),
        ('[engine]\ndevice = "gpu"\n', "engine.device: must be 'cpu', or a GPU: 'cuda:0'"),
        ('[models.m]\nbundle = "b"\nsha256 = "1"\n', "sha256: must be 64 hexadecimal digits"),
        ("node = 3\n", "node: must be a table"),
        ("[node]\nport = true\n", "node.port: must not be true or false"),
        ("[node]\nae_title = AI\n", "line 2, column 12.*quotation marks"),
        ("[log]\n" + 'level = "INFO"\n' * 2, "line 3.*a second time"),
        ("[node]\n[node]\n", "line 2.*a second time"),
        ('[rules]\nname = "r"\n', r"rules: must be a list of rules: begin each with \[\[rules\]\]"),
        ("\ufeff[node]\nport = 0.5\n", "node.port: must be a whole number"),
        ('[peers.p]\nhost = "h"\nport = 1\n', "peers.p.ae_title: is missing"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str):
    with pytest.raises(ConfigError, match=says):
        load_config(write(text))


RULES = '[[rules]]\nname = "a"\nmodel = "demo"\n[[rules]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "[[rules]] number 2, model: is missing"),
        ('model = "none"\n', "[[rules]] number 2 ('b'): no model 'none' (known: demo)"),
        ('model = "demo"\nsend_to = ["x"]\n', "[[rules]] number 2 ('b'): no peer 'x'"),
        ('model = "demo"\nwen = {}\n', "[[rules]] number 2, wen: unknown key; did you mean 'when'"),
        (
            'model = "demo"\nresults = ["reports"]\n',
            "[[rules]] number 2, results, value 1: must be 'report', 'capture'",
        ),
        (
            'model = "demo"\nwhen = { SliceThickness = 3 }\n',
            "[[rules]] number 2, when.SliceThickness: must be a text or a list of texts",
        ),
        (
            'model = "demo"\nwhen = { Modality = ["CT", 3] }\n',
            "[[rules]] number 2, when.Modality",
        ),
        (
            'model = "demo"\nwhen = { Modality = [] }\n',
            "when.Modality: must have at least",
        ),
    ],
)
def test_an_error_in_a_rule_names_the_rule_and_no_internals(text: str, says: str):
    path = write(RULES + text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert says in message
    for internal in ("rules.1", "tuple[", "Input should", "pydantic", ".str", "function-"):
        assert internal not in message
    assert message.count("[[rules]]") == 1, "one error, said once"


def test_what_is_wrong_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PACS_AI_NODE_PORT", "many")
    with pytest.raises(ConfigError, match=r"node\.port \(PACS_AI_NODE_PORT\): "):
        load_config()


def test_a_section_that_is_no_table_is_named_in_spite_of_flags():
    with pytest.raises(ConfigError, match="node: must be a table"):
        load_config(write("node = 3\n"), {"node": {"port": 4}})


@pytest.mark.parametrize("text", ["A, [BC]*", '["A", "[BC]*"]', "['A', '[BC]*']"])
def test_a_list_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("PACS_AI_NODE_ACCEPT_FROM", text)
    assert load_config().node.accept_from == ("A", "[BC]*")


def test_a_pattern_in_the_environment_is_no_list(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PACS_AI_NODE_ACCEPT_FROM", "[AB]_CT")
    assert load_config().node.accept_from == ("[AB]_CT",)


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PACS_AI_LIMITS_IDLE_SECOND", "5")
    with pytest.raises(ConfigError, match="PACS_AI_LIMITS_IDLE_SECOND"):
        load_config()


def test_other_variables_may_vanish_meanwhile(monkeypatch: pytest.MonkeyPatch):
    class Vanishing(UserDict[str, str]):
        def __getitem__(self, name: str) -> str:
            if name == "PYDANTIC_DISABLE_PLUGINS":
                raise KeyError(name)
            return super().__getitem__(name)

    names = {"PYDANTIC_DISABLE_PLUGINS": "1", "PACS_AI_NODE_AE_TITLE": "HERE"}
    monkeypatch.setattr(os, "environ", Vanishing(dict(os.environ) | names))
    assert load_config().node.ae_title == "HERE"


def test_callers_by_title_pattern_and_address():
    callers = ["PACS", "CT_*", "*@10.1.2.*", "PACS@10.0.0.0/8", "[AB]_LONG_AE_TITLE?", "X@fd00::/8"]
    assert load_config(write(f"[node]\naccept_from = {callers}\n")).node.accept_from == (*callers,)


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_config(Path("absent.toml"))


def test_values_are_not_repeated_in_errors():
    with pytest.raises(ConfigError) as caught:
        load_config(write('[node]\nport = "secret-value"\n'))
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        ("me:hidden@db/x", "me:***@db/x"),
        ("me:hid@hidden@db/x", "me:***@db/x"),
        ("me:hid/hidden@db/x", "me:***@db/x"),
        ("me@db/x?password=hidden&a=b", "me@db/x?password=***&a=b"),
        ("me@db/x", "me@db/x"),
    ],
)
def test_the_database_password_is_not_shown(rest: str, shown: str):
    config = load_config(write(f'[storage]\ndatabase = "postgresql://{rest}"\n'))
    assert describe(config)["storage"]["database"] == f"postgresql+psycopg://{shown}"
    assert config.storage.database == f"postgresql+psycopg://{rest}"


def test_radiographs_come_with_a_release_time_and_keep_what_else_is_set():
    config = load_config(write("[study.modality.CR]\nquiet_seconds = 5\n"))
    timing = config.timing("ANY", "CR")
    assert (timing.quiet_seconds, timing.release_seconds) == (5, 60)
    assert config.timing("ANY", "CT").release_seconds is None


def test_the_sender_comes_before_the_modality():
    config = load_config(
        write(
            "[study]\nquiet_seconds = 60\n[study.modality.CT]\nquiet_seconds = 30\n"
            '[peers.ct1]\nae_title = "CT1"\nhost = "h"\nport = 104\nquiet_seconds = 10\n'
        )
    )
    assert config.timing("CT1", "CT").quiet_seconds == 10
    assert config.timing("CT2", "CT").quiet_seconds == 30
    assert config.timing("CT2", "MR").quiet_seconds == 60


def test_sizes_are_readable():
    config = load_config(write('[limits]\nmax_instance = "8 GiB"\n'))
    assert config.limits.max_instance == 8 << 30


PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "pacs"\nport = 104\n'
RULE = '[[rules]]\nname = "r"\nmodel = "demo"\nsend_to = ["pacs"]\n'


@pytest.mark.parametrize(
    ("peer", "rule", "says"),
    [
        ('results = ["hl7"]', "", "hl7 is no DICOM object"),
        ('results = ["report", "fhir"]', "", "fhir is no DICOM object"),
        ('results = ["pdf"]', 'results = ["report"]', "takes none of its results"),
        ("", 'results = ["hl7", "fhir"]', "takes none of its results"),
        ("results = []", "", "peers.pacs.results"),
        ("", "results = []", r"\[\[rules\]\] number 1, results"),
        ("", 'results = ["reports"]', r"\[\[rules\]\] number 1, results"),
        (
            "",
            'results = ["capture"]\nwhen_not_analysable = "report"',
            "when_not_analysable needs one of fhir, hl7, pdf, report",
        ),
    ],
)
def test_a_choice_of_results_that_has_no_effect_is_refused(peer: str, rule: str, says: str):
    with pytest.raises(ConfigError, match=says):
        load_config(write(f"{PEER}{peer}\n{RULE}{rule}\n"))


@pytest.mark.parametrize(
    ("peer", "rule", "sent"),
    [
        ("", "", ("report", "capture")),
        ("", 'results = ["pdf", "hl7", "region"]', ("pdf", "region")),
        ('results = ["capture", "map"]', "", ("capture",)),
        ('results = ["map", "seg"]', 'results = ["report", "seg", "map"]', ("seg", "map")),
    ],
)
def test_a_peer_gets_what_the_rule_makes_and_it_takes(peer: str, rule: str, sent: tuple[str, ...]):
    config = load_config(write(f"{PEER}{peer}\n{RULE}{rule}\n"))
    assert sent_to(config.rules[0], config.peers["pacs"]) == sent


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ('ca = "x"', "ca needs tls = true"),
        ('tls = false\ncertificate = "x"', "certificate needs tls = true"),
        ('tls = true\nkey = "x"', "key needs certificate"),
        ('passcode_file = "x"', "passcode_file needs user"),
        ('user = ""', "at least 1 character"),
        ('tls = "maybe"', "true or false"),
    ],
)
def test_what_does_not_belong_together_in_a_peer(tmp_path: Path, keys: str, text: str) -> None:
    path = tmp_path / "pacs-ai.toml"
    path.write_text(f'[peers.a]\nae_title = "A"\nhost = "h"\nport = 104\n{keys}\n')
    with pytest.raises(ConfigError, match=text):
        load_config(path)


def test_tasks_of_procrastinate_need_postgresql():
    engine = '[engine]\nkind = "procrastinate"\n'
    with pytest.raises(ConfigError, match=r"needs PostgreSQL: set storage\.database"):
        load_config(write(engine))
    config = load_config(write(engine + '[storage]\ndatabase = "postgresql://db/x"\n'))
    assert config.engine.kind == "procrastinate"
