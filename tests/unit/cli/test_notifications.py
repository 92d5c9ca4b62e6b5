"""``pacs-ai notifications``: what it lists, and how a message is sent again."""

import json
from datetime import timedelta

import pytest

from pacs_ai.store import notifications
from pacs_ai.store.notifications import ToTell
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW


@pytest.fixture
def told(node: Installation) -> Installation:
    """A message that was given up."""
    one = ToTell("desk", "hook", "event:1", "failed", NOW, {"study": 1})
    with node.database.write("test", NOW) as transaction:
        notifications.add(transaction, [one])
        notifications.begin(transaction, "desk", "hook")
        (message,) = notifications.due(transaction, NOW + timedelta(seconds=1))
        attempt = notifications.claim(transaction, message, 60)
        assert attempt is not None
        notifications.fail(transaction, message.id, attempt, ("PEER_REFUSED", "answered 404"))
    return node


def test_it_is_listed_and_sent_again(told: Installation) -> None:
    (row,) = json.loads(told.pacs_ai("notifications", "list", "--json").out)
    assert (row["state"], row["conditions"]) == ("FAILED", {"failed": 1})
    shown = told.pacs_ai("notifications", "list", "--state", "failed").out
    assert row["id"][:8] in shown
    assert "answered 404" in shown
    assert "1 failed" in shown
    answer = told.pacs_ai("notifications", "retry", row["id"][:8])
    assert (answer.code, answer.out) == (0, f"notification {row['id']}: to be sent\n")
    assert "no notifications" in told.pacs_ai("notifications", "list", "--state", "failed").err
    assert told.pacs_ai("notifications", "retry", "--state", "waiting").code == 0


@pytest.mark.parametrize("arguments", [(), ("--state", "sent"), ("zz", "--state", "failed")])
def test_what_makes_no_sense_is_refused(told: Installation, arguments: tuple[str, ...]) -> None:
    assert told.pacs_ai("notifications", "retry", *arguments).code == 2


def test_without_any_it_says_so(node: Installation) -> None:
    assert "no notifications" in node.pacs_ai("notifications", "list").err
    assert "nothing to try again" in node.pacs_ai("notifications", "retry", "--state", "failed").out
