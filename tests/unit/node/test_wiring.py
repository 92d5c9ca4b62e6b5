"""A node is put together in one place: for the daemon, and for an operator's command."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.config.sections import Storage
from pacs_ai.errors import ConfigError
from pacs_ai.node.wiring import node_context, opened_node, unpaired_node
from pacs_ai.store.sitekey import KEY_FILE


@pytest.fixture
def config(tmp_path: Path) -> Config:
    database = f"sqlite:///{tmp_path}/rows.db"
    return Config(storage=Storage(database=database, spool=tmp_path / "spool", min_free_gb=0))


@pytest.fixture
def secret(config: Config) -> bytes:
    """A node ran once."""
    context = node_context(config, clock=ManualClock(), owner="node/boot/1")
    context.database.close()
    return context.secret


def test_an_operator_sees_what_the_node_has_made(config: Config, secret: bytes) -> None:
    warnings: list[str] = []
    with opened_node(config, warnings.append) as context:
        assert (context.secret, context.owner) == (secret, "operator")
    assert warnings == []


def test_rows_can_be_read_without_the_secret(config: Config, secret: bytes) -> None:
    (config.storage.spool / KEY_FILE).unlink()
    warnings: list[str] = []
    with opened_node(config, warnings.append) as context:
        assert context.secret == b""
    assert len(warnings) == 1
    assert secret.hex() not in warnings[0]


def test_an_operator_creates_no_database(config: Config, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="does not exist"),
        opened_node(config, lambda _: None),
    ):
        pytest.fail("opened")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("secret")
def test_another_schema_is_refused(config: Config) -> None:
    with unpaired_node(config) as context, context.write() as transaction:
        transaction.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(ConfigError, match="db upgrade"), opened_node(config, lambda _: None):
        pytest.fail("opened")
    with pytest.raises(ConfigError, match="db upgrade"), unpaired_node(config):
        pytest.fail("opened")


def test_a_lost_database_is_made_again_without_a_secret(config: Config) -> None:
    with unpaired_node(config) as context:
        assert context.secret == b""
    assert Path(config.storage.database.removeprefix("sqlite:///")).exists()


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("step", ["9999", None])
def test_a_child_goes_on_with_a_newer_schema_that_the_daemon_did_not_find(
    config: Config, step: str | None
) -> None:
    with unpaired_node(config) as context, context.write() as transaction:
        change = "UPDATE alembic_version SET version_num = coalesce(:step, version_num)"
        transaction.execute(sa.text(change), {"step": step})
    child = node_context(config, owner="node/boot/worker-1", child=True)
    assert child.spool.node == "node"
    child.database.close()
    if step:
        with pytest.raises(ConfigError, match="newer"):
            node_context(config, owner="node/boot/1")


@pytest.mark.usefixtures("secret")
def test_a_child_changes_no_schema(config: Config) -> None:
    """It may be of a newer version than its daemon: the package was replaced under it."""
    with unpaired_node(config) as context, context.write() as transaction:
        transaction.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(ConfigError, match="run pacs-ai db upgrade"):
        node_context(config, owner="node/boot/worker-1", child=True)
