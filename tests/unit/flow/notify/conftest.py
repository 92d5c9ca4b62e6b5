"""A node that tells a webhook."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.config import Config
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notify.gather import begin
from pacs_ai.flow.notify.sweep import Notifier
from tests.unit.flow.notify.office import Office
from tests.web_peer import Answer, web_peer


@pytest.fixture
def office(context: FlowContext, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    secret.chmod(0o600)
    with web_peer(lambda _: Answer(one[0].status)) as hook:
        one: list[Office] = []

        def make(*on: str, **more: object) -> Office:
            peer = {"kind": "webhook", "url": hook.url, "secret_file": str(secret)}
            wanted = {"name": "desk", "on": on, "to": ["hook"], **more}
            config = Config.model_validate({"peers": {"hook": peer}, "notifications": [wanted]})
            node = replace(context, config=config.model_copy(update=_storage(context)))
            one.append(Office(node, hook, Notifier(node)))
            begin(node)
            return one[0]

        yield make


def _storage(context: FlowContext) -> dict[str, object]:
    return {"storage": context.config.storage}
