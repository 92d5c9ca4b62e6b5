"""What people see of notifications, in the REST API, the page and metrics; and one more try."""

import pytest

from pacs_ai.domain import Role
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.operate.notifications import (
    list_notifications,
    retry_matching_notifications,
    retry_notifications,
)
from pacs_ai.metrics.exposition import Metrics
from pacs_ai.store.notifications import ToTell, add
from tests.unit.flow.notify.office import Office, OnWhat
from tests.unit.metrics.reading import values
from tests.unit.web.test_page import logged_in


def happened(node: Office, *conditions: str) -> None:
    """Let the desk have something to be told."""
    now = node.context.now()
    told = [
        ToTell("desk", "hook", f"{now.timestamp()} {number}", condition, now, {"study": 1})
        for number, condition in enumerate(conditions)
    ]
    with node.context.write() as transaction:
        assert add(transaction, told) == len(told)


@pytest.fixture
def refused(office: OnWhat) -> Office:
    """A message that was given up, and something that is told in the next one."""
    node = office("positive", "failed", every_seconds=24 * 3600)
    node.status = 404
    happened(node, "positive", "failed", "failed")
    for _ in range(40):
        node.notifier.sweep()
        node.later(600)
    node.later(1)
    happened(node, "positive")
    node.notifier.sweep()
    return node


def test_each_message_says_what_it_tells_and_when_it_is_tried_again(office: OnWhat) -> None:
    node = office("positive", "failed", every_seconds=600)
    node.status = 503
    happened(node, "positive", "failed", "failed")
    node.notifier.sweep()
    node.later(0.01)  # before the message is tried again
    happened(node, "positive")
    node.notifier.sweep()
    collected, waiting = list_notifications(node.context)
    assert (waiting.notification, waiting.destination) == ("desk", "hook")
    assert waiting.conditions == {"positive": 1, "failed": 2}
    assert (waiting.state, waiting.attempt, waiting.error_code) == ("WAITING", 1, "PEER_BUSY")
    assert waiting.due_at is not None
    assert waiting.due_at > node.context.now()
    assert (collected.state, collected.conditions) == ("COLLECTED", {"positive": 1})
    assert waiting.created_at is not None
    assert collected.due_at is not None
    assert (collected.due_at - waiting.created_at).total_seconds() == 600
    node.status = 200
    node.later(600)
    node.notifier.sweep()
    states = [(one.state, one.due_at) for one in list_notifications(node.context)]
    assert states == [("SENT", None), ("SENT", None)]


def test_what_was_given_up_is_sent_again_under_its_id(refused: Office) -> None:
    collected, failed = list_notifications(refused.context)
    assert (collected.state, failed.state, failed.due_at) == ("COLLECTED", "FAILED", None)
    assert retry_notifications(refused.context, [failed.id[:8]]).ids == [failed.id]
    refused.notifier.sweep()
    again = list_notifications(refused.context)[-1]
    assert (again.state, again.attempt) == ("WAITING", 1)  # its time begins again
    refused.status = 200
    assert retry_matching_notifications(refused.context, "WAITING").retried == 1
    refused.notifier.sweep()
    assert list_notifications(refused.context, "SENT")[0].id == failed.id
    assert refused.hook.asked[-1].headers["webhook-id"] == failed.id


def test_what_cannot_be_sent_again_is_said(refused: Office) -> None:
    failed = list_notifications(refused.context, "FAILED")[0]
    with pytest.raises(StateError, match="no notification begins with 'zz'"):
        retry_notifications(refused.context, [failed.id, "zz"])
    assert list_notifications(refused.context, "FAILED") == [failed]
    refused.status = 200
    retry_notifications(refused.context, [failed.id])
    refused.notifier.sweep()
    with pytest.raises(IllegalTransition, match="is SENT: only what is FAILED or WAITING"):
        retry_notifications(refused.context, [failed.id])
    with pytest.raises(StateError, match="SENT cannot be tried again"):
        retry_matching_notifications(refused.context, "SENT")
    assert retry_matching_notifications(refused.context).retried == 0


def test_the_rest_api_the_page_and_the_metrics_tell_the_same(refused: Office) -> None:
    client = logged_in(refused.context, Role.OPERATOR)
    (failed,) = client.get("/api/v1/notifications?state=FAILED").json()
    assert failed["conditions"] == {"positive": 1, "failed": 2}
    shown = client.get("/notifications").text
    assert failed["id"][:8] in shown
    assert "COLLECTED" in shown
    found = values(Metrics(refused.context))
    assert found["pacs_ai_notifications", "hook", "failed"] == 1
    assert found["pacs_ai_notifications_oldest_seconds", "hook", "failed"] == 24001
    answer = client.request("POST", "/notifications/retry", data={"id": failed["id"]})
    assert "1 notification is tried again" in client.get(answer.headers["location"]).text
    refused.status = 200
    refused.notifier.sweep()
    assert values(Metrics(refused.context))["pacs_ai_notifications", "hook", "sent"] == 1
    assert client.request("POST", "/api/v1/notifications/retry", json={}).json()["retried"] == 0


def test_a_viewer_only_looks(refused: Office) -> None:
    client = logged_in(refused.context, Role.VIEWER)
    assert "/notifications/retry" not in client.get("/notifications").text
    assert client.request("POST", "/api/v1/notifications/retry", json={}).status_code == 403
    assert len(client.get("/api/v1/notifications").json()) == 2
