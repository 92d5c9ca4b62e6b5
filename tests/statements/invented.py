"""Arguments for the functions of the store, made of what their signatures ask for.

What a function says of its parameters is enough to call it: rows come from the database, which has
some of each table, everything else is made of its type. So a function that is new is called, too.
"""

import dataclasses
import enum
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from pacs_ai.domain import JobId
from pacs_ai.store import sending, waiting_jobs
from pacs_ai.store.active_models import Stamp
from pacs_ai.store.columns import Base
from pacs_ai.store.schema import Delivery, Event, Instance, Job
from pacs_ai.store.throughput import Position
from tests.large_site import CLAIM
from tests.unit.store.samples import MODEL

LONG_AGO = datetime.now(UTC) - timedelta(days=100)
_MOST = 4
"""So many values of an enumeration are tried."""
_STATES = 8

_GIVEN: dict[str, list[Any]] = {
    "prefix": ["ab", ""],
    "folder": ["node/", ""],
    "most": [10],
    "limit": [10],
    "sender": ["CT1"],
    "held.py find_held study": ["1.2.826.1"],
    "sending.py _summed query": [sending._SUMS.where(Delivery.id == 1)],
    "tasks.py _has_older row": [SimpleNamespace(id=1, priority=1)],
    "completeness.py _upsert rows": [[{"study_id": 1, "revision": 1, "waited_seconds": 1}]],
    "retryable.py jobs states": [["FAILED"]],
    "retryable.py deliveries states": [["FAILED"]],
    "procrastinate_jobs.py enqueue key": ["x2"],
    "throughput.py _first key": [Event.id],
    "throughput.py _first at": [Event.at],
    "throughput.py _minute at": [Event.at],
    "event_feed.py _names keys": [["1"]],
}
"""By the name of a parameter, or of module, function and parameter: where types say too little."""

_LAST = {"after": Event.id, "event": Event.id, "begin": Event.id, "image": Instance.id}
"""What is new since the last look: parameters that say up to where everything was seen."""

_FREE: dict[str, dict[str, list[Any]]] = {
    "kept_predictions.py _move values": {"state": ["DONE"]},
    "prior_searches.py _move values": {"state": ["OVER"]},
}
"""What functions get as other keywords."""

_SIMPLE = (int, str, str | None)

_PLAIN: dict[Any, list[Any]] = {
    int: [1],
    float: [1.0],
    bool: [False, True],
    bytes: [b"x"],
    datetime: [LONG_AGO],
    timedelta: [timedelta(hours=1)],
    Path: [Path("/nowhere")],
    Any: [1],
    object: [1],
    Stamp: [MODEL],
    sa.Select: [waiting_jobs.queued()],
    InstrumentedAttribute: [Job.id],
    sa.ColumnElement: [Job.error_code == "TIMEOUT"],
}
_TEXTS = {
    "study": "1.2.826.1",
    "sop": "1.2.826.1",
    "uid": "1.2.826.1",
    "path": "node/instances/1",
    "destination": "archive-1",
    "peer": "archive-1",
    "model": "model-1",
    "node": "node",
    "claim": CLAIM,
    "since": "2026-01-01",
    "until": "2026-12-31",
}
"""By the beginning of a parameter's name."""


class Inventor:
    """Makes arguments.

    Parameters
    ----------
    session
        Of a database with rows.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def calls(self, function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
        """Give arguments of a function: the first of each, then in turn each of its others."""
        found: dict[str, list[Any]] = {}
        for name, one in inspect.signature(function, eval_str=True).parameters.items():
            where = f"{Path(inspect.getfile(function)).name} {function.__name__} {name}"
            if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
                found |= _FREE.get(where, {})
                continue
            given = _GIVEN.get(where) or self.values(name, one.annotation)
            if one.default is not one.empty and where not in _GIVEN:
                given = [*given, one.default]
            found[name] = given
        first = {name: given[0] for name, given in found.items()}
        yield first
        for name, given in found.items():
            for other in given[1:]:
                yield {**first, name: other}
        if any(len(given) > 1 for given in found.values()):
            yield {name: given[-1] for name, given in found.items()}

    def values(self, name: str, kind: Any) -> list[Any]:
        """Return values of a type; the first is the usual one."""
        if kind is not JobId:
            kind = getattr(kind, "__supertype__", kind)
        if kind in _SIMPLE and (name in _GIVEN or name in _LAST):
            return _GIVEN.get(name) or [self._last(_LAST[name])]
        if kind is str:
            return [next((text for begin, text in _TEXTS.items() if begin in name), "x")]
        if kind is JobId:
            return [self._rows(Job)[0].id]
        if kind is Position:
            return [Position(self._last(Instance.id), self._last(Event.id))]
        if isinstance(kind, type) and not typing.get_origin(kind):
            return self._of_class(kind)
        return self._of_generic(name, kind)

    def _of_class(self, kind: type) -> list[Any]:
        if issubclass(kind, Session):
            return [self._session]
        if issubclass(kind, sa.Connection):
            return [self._session.connection()]
        if issubclass(kind, enum.Enum):
            return list(kind)[:_MOST] or ["x"]
        if issubclass(kind, Base):
            return self._rows(kind)
        if dataclasses.is_dataclass(kind):
            return self._of_dataclass(kind)
        return _PLAIN.get(kind, [kind])

    def _of_dataclass(self, kind: Any) -> list[Any]:
        """Return one with the defaults of its fields, and others with one field set each."""
        hints = typing.get_type_hints(kind)
        fields = {one.name: one for one in dataclasses.fields(kind) if one.init}
        made = {name: self.values(name, hints[name])[0] for name in fields}
        free = [
            name
            for name, one in fields.items()
            if one.default is not dataclasses.MISSING
            or one.default_factory is not dataclasses.MISSING
        ]
        needed = {name: value for name, value in made.items() if name not in free}
        return [kind(**needed), *(kind(**{**needed, name: made[name]}) for name in free)]

    def _of_generic(self, name: str, kind: Any) -> list[Any]:
        origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            each = [self.values(name, one) for one in inner if one is not type(None)]
            none = [None] if type(None) in inner else []
            return [*itertools.chain.from_iterable(each), *none]
        if origin is type:
            return self._types(inner[0])
        if origin is Callable:
            return [lambda *_: None]
        if origin in _PLAIN:
            return _PLAIN[origin]
        return [self._collection(name, origin, inner)]

    def _collection(self, name: str, origin: Any, inner: Sequence[Any]) -> Any:
        first = [self.values(name, one)[0] for one in inner if one is not Ellipsis]
        if origin is tuple:
            return tuple(first)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return dict([first])
        if isinstance(origin, type) and issubclass(origin, Iterable):
            return set(first) if issubclass(origin, set) else first
        return 1

    @staticmethod
    def _types(kind: Any) -> list[Any]:
        constraints = getattr(kind, "__constraints__", ()) or typing.get_args(kind) or (kind,)
        return list(constraints)

    def _last(self, key: InstrumentedAttribute[int]) -> int:
        return max((self._session.scalar(sa.select(sa.func.max(key))) or 0) - 20, 1)

    def _rows(self, kind: type[Any]) -> list[Any]:
        """Return a row of a table in each of its states; a new one where it has none."""
        states = [None]
        if "state" in sa.inspect(kind).columns:
            states = list(self._session.scalars(sa.select(kind.state).distinct().limit(_STATES)))
        queries = [
            sa.select(kind) if state is None else sa.select(kind).where(kind.state == state)
            for state in states or [None]
        ]
        rows = [self._session.scalars(query.limit(1)).first() for query in queries]
        return [row for row in rows if row is not None] or [_new(kind)]


def _new(kind: type[Any]) -> Any:
    plain = {int: 1, str: "x", float: 1.0, bool: False, datetime: LONG_AGO}
    needed = [column for column in sa.inspect(kind).columns if not column.nullable]
    return kind(**{one.key: plain.get(one.type.python_type, {}) for one in needed})
