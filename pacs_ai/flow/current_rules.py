"""The rules in force: those of the file at the start, and those of the last reload.

What a reload may change is `TAKEN_BY_RELOAD`. It lies in a file of the spool, since conditions may
name patients, and a row of the database names the file. Every process compares its revision with
that row when it begins a task: so all go by the same rules, and a task that runs ends with those
that it began with.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TypeVar

from pacs_ai.config import Config, rule_label
from pacs_ai.errors import ConfigError, PacsAIError
from pacs_ai.files import atomic_write, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.rule_check import impossible
from pacs_ai.logs import get_logger
from pacs_ai.store import rule_sets, sending

TAKEN_BY_RELOAD = ("rules", "routing", "peers", "study")
"""Sections that a reload takes; the others count from the next start of the node."""

_FOLDER = "rules"
_MOST_TEXT = 1000
_RECENT_SECONDS = 1.0
_T = TypeVar("_T")
_log = get_logger()


def up_to_date(context: FlowContext) -> FlowContext:
    """Return the node with the rules that are in force now, for a task that begins.

    Raises
    ------
    StorageError
        If the database or the file of the rules cannot be read.
    """
    revision, config = context.in_force.known
    with context.database.read() as session:
        row = rule_sets.in_force(session, node_of(context))
    if row is not None and row.id != revision:
        path = context.spool.path_of(row.path)
        with translated(path):
            content = json.loads(path.read_text(encoding="utf-8"))
        given = {**context.config.model_dump(mode="json"), **content}
        config = Config.model_validate(given)
        context.in_force.known = (row.id, config)
    return context if config is None else replace(context, config=config)


def recent_rules(context: FlowContext) -> FlowContext:
    """Return the node with rules that were in force a second ago, for hints that decide nothing.

    Raises
    ------
    StorageError
        As for `up_to_date`.
    """
    now = context.clock.monotonic()
    if now - context.in_force.looked_at >= _RECENT_SECONDS:
        found = up_to_date(context)
        context.in_force.looked_at = now
        return found
    config = context.in_force.known[1]
    return context if config is None else replace(context, config=config)


def node_of(context: FlowContext) -> str:
    """Return the name of the node that a process belongs to."""
    return context.owner.partition("/")[0]


def begin_with(context: FlowContext) -> None:
    """Bring the rules of the configuration into force that a node starts with."""
    _take(context, node_of(context), context.config, sorted(context.config.models))


def reload_rules(context: FlowContext, node: str, read: Callable[[], Config]) -> tuple[int, bool]:
    """Take other rules while the node works, or refuse them.

    Parameters
    ----------
    read
        Reads and checks the configuration file.

    Returns
    -------
    revision : int
        Of the rules that are in force now.
    changed : bool
        Whether they are others than before.

    Raises
    ------
    ConfigError
        If they are refused: the node goes on with those that it has; the page and the log say so.
    """
    try:
        config = read()
    except ConfigError as error:
        refuse(context, node, error.message)
        raise
    with context.database.read() as session:
        row = rule_sets.in_force(session, node)
        waiting = sending.open_destinations(session)
    models = sorted(config.models) if row is None else row.models
    faults = list(impossible(config))
    others = [*_unknown_models(config, models), *_lost_peers(config, waiting)]
    if faults or others:
        refuse(context, node, "; ".join([*(one.without_value() for one in faults), *others]))
        raise ConfigError("; ".join([*map(str, faults), *others]))
    return _take(context, node, config, models)


def refuse(context: FlowContext, node: str, text: str) -> None:
    """Note that rules were not taken: the page shows it until others are."""
    with context.write() as transaction:
        rule_sets.refuse(transaction, node, text[:_MOST_TEXT])


def _unknown_models(config: Config, loaded: Sequence[str]) -> list[str]:
    return [
        f"{rule_label(number, rule)}: the node has not loaded the model {model!r}; start it again"
        for number, rule in enumerate(config.rules, start=1)
        for model in rule.models
        if model not in loaded
    ]


def _lost_peers(config: Config, waiting: Sequence[str]) -> list[str]:
    return [
        f"peers.{name} is gone, and results wait for it: keep it until they are delivered,"
        f" or cancel them (pacs-ai deliveries list --peer {name})"
        for name in waiting
        if name not in config.peers
    ]


def _take(
    context: FlowContext, node: str, config: Config, models: Sequence[str]
) -> tuple[int, bool]:
    values = config.model_dump(mode="json", include=set(TAKEN_BY_RELOAD))
    content = json.dumps(values, sort_keys=True, ensure_ascii=False).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    path = f"{node}/{_FOLDER}/{sha256[:16]}.json"
    _write(context.spool.path_of(path), content)
    with context.write() as transaction:
        row = rule_sets.in_force(transaction, node)
        if row is not None and (row.sha256, row.models) == (sha256, list(models)):
            rule_sets.confirm(transaction, row)
            return row.id, False
        row = rule_sets.take(transaction, node, sha256=sha256, path=path, models=list(models))
        return row.id, True


def _write(path: Path, content: bytes) -> None:
    """Write the file of the rules, readable by the owner only."""
    with translated(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        atomic_write(path, content, mode=0o600)


class RulesWatch:
    """Tells the log which rules the processes of a node work with, and which were refused."""

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._told = 0

    def reload(self, read: Callable[[], Config]) -> None:
        """Take the rules of the file; the log says if they are refused, and why."""
        try:
            reload_rules(self._context, node_of(self._context), read)
        except PacsAIError as error:
            if not isinstance(error, ConfigError):
                _log.error("rules not read", error=error.code)
        self.look()

    def look(self) -> None:
        """Log what was taken or refused since the last look."""
        node = node_of(self._context)
        with self._context.database.read() as session:
            row = rule_sets.refused_last(session, node) or rule_sets.in_force(session, node)
        if row is None or row.id == self._told:
            return
        first, self._told = not self._told, row.id
        if row.state == rule_sets.RuleSetState.REFUSED:
            _log.error("rules refused", reason=row.text, by=row.set_by)
        elif not first:
            _log.info("rules taken", revision=row.id, by=row.set_by)


def with_rules(step: Callable[..., _T]) -> Callable[..., _T]:
    """Return a step, whose first argument is the node, that goes by the rules in force then."""

    @wraps(step)
    def begin(context: FlowContext, *others: object) -> _T:
        return step(up_to_date(context), *others)

    return begin
