"""``pacs-ai studies resolve``: shows whom a study may be of, and takes a person's decision."""

import sys
from collections.abc import Sequence

from pacs_ai.cli.records import Record
from pacs_ai.cli.tables import show_records
from pacs_ai.domain import StudyId, StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow import correct
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import corrections
from pacs_ai.store.corrections import Choice
from pacs_ai.store.overview import StudyLine

COLUMNS = ("keep", "in_use", "images", "from", "first_received_at", "differs_in")

_HINT = """\
Nothing is done without --keep. The database has no names: look the study up in the archive, or ask
the sender. If these are images of two patients, delete the study, and have each sent right."""


def resolve(node: FlowContext, line: StudyLine, keep: str | None) -> int:
    """End a CONFLICT in favour of one choice; returns the revision.

    Raises
    ------
    IllegalTransition
        If the study is in no CONFLICT.
    StateError
        If there is no choice of that name; without one, after all have been shown.
    """
    study = line.study
    if study.state != StudyState.CONFLICT:
        raise IllegalTransition(f"study {study.id} is {study.state}, not CONFLICT")
    with node.database.read() as session:
        known = corrections.choices(session, study)
    if not known:
        raise StateError(
            f"study {study.id}: the patients of its images are not known. An older version received"
            " it: start the node, which reads its files, and try again. If no file of the study is"
            " left, delete it"
        )
    if keep is None:
        show_records(choice_records(known), COLUMNS, as_json=False, nothing="")
        print(_HINT, file=sys.stderr)
        raise StateError(f"study {study.id} is still in CONFLICT: say which is right with --keep")
    return correct.resolve(node, StudyId(study.id), _chosen(known, keep).number)


def choice_records(known: Sequence[Choice]) -> list[Record]:
    """Return the choices without a value that names anybody."""
    return [
        {
            "keep": choice.name or str(choice.number),
            "number": choice.number,
            "in_use": choice.in_use,
            "images": choice.files,
            "from": list(choice.senders),
            "first_received_at": choice.first_received_at,
            "differs_in": list(choice.differs),
        }
        for choice in known
    ]


def _chosen(known: Sequence[Choice], keep: str) -> Choice:
    for choice in known:
        if keep in (choice.name, str(choice.number)):
            return choice
    names = ", ".join(choice.name or str(choice.number) for choice in known)
    raise StateError(f"there is no choice {keep!r}: it is one of {names}")
