"""An action that a command was refused is in the ledger, with who asked for it."""

import getpass
import json

from tests.unit.cli.conftest import Installation


def refusals(node: Installation) -> list[tuple[str, str, int | None, str]]:
    lines = json.loads(node.pacs_ai("audit", "list", "--json").out)
    return [
        (one["user"], one["event"], one["study"], one["description"])
        for one in lines
        if one["outcome"] == "4"
    ]


def test_a_refused_action_is_in_the_ledger(node: Installation) -> None:
    job = node.study_with_result()
    assert node.pacs_ai("studies", "close", "1").code == 1
    assert node.pacs_ai("studies", "close", "99").code == 1
    assert node.pacs_ai("jobs", "cancel", str(job)).code == 1
    assert node.pacs_ai("tokens", "add", "operator", "--role", "admin").code == 1
    assert refusals(node) == [
        (getpass.getuser(), "Security Alert", None, "tokens add: STATE"),
        (getpass.getuser(), "DICOM Instances Accessed", 1, "jobs cancel: ILLEGAL_TRANSITION"),
        (getpass.getuser(), "DICOM Instances Accessed", 1, "studies close: ILLEGAL_TRANSITION"),
    ]
