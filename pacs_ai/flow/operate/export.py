"""Export de-identified copies of studies."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pacs_ai import __version__
from pacs_ai.deidentify.profile import EDITION, Profile
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.domain import StudyState
from pacs_ai.errors import ConfigError, StateError
from pacs_ai.files import atomic_write
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.export.draft import DoneStudy, Draft
from pacs_ai.flow.export.labels import Labels, data_section, labels_table
from pacs_ai.flow.export.studies import copy_study
from pacs_ai.flow.feedback.training_labels import VALUES
from pacs_ai.flow.operate.feedback import training_labels
from pacs_ai.flow.operate.find import find_study
from pacs_ai.store import overview
from pacs_ai.store.schema import Study
from pacs_ai.store.selection import Filter

_ALL = 10**9
_WHOLE = (StudyState.COMPLETE, StudyState.ROUTED)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported, and how.

    Parameters
    ----------
    studies
        Row ids, Study Instance UIDs, or references of the log.
    since
        Besides, all studies with activity since then.
    profile
        What is retained.
    with_burned_in
        Copy images whose pixels may show text.
    secret
        That of earlier exports, where patients shall have the same names; None for a new one.
    labels
        Of the studies, by row id or Study Instance UID; None takes those that feedback says.
    """

    studies: Sequence[str] = ()
    since: datetime | None = None
    profile: Profile = field(default_factory=Profile)
    with_burned_in: bool = False
    secret: bytes | None = None
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image that was not exported, and why; ``instance`` None for the whole study."""

    study: int
    instance: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds, and what it does not."""

    folder: str
    studies: int
    patients: int
    images: int
    labelled: int
    left_out: list[LeftOut]


def export_studies(context: FlowContext, place: Path, options: ExportOptions) -> Exported:
    """Write de-identified copies of the images of studies, ready for training.

    The folder appears when it is whole. A repetition after an interruption goes on.

    Parameters
    ----------
    place
        The folder; it is new, or empty, and outside of the spool.

    Raises
    ------
    StateError
        If a study does not exist, nothing is left to export, or the folder is taken.
    ConfigError
        If the folder lies in the spool.
    StorageError
        If a file cannot be read or written.
    """
    place = place.resolve()
    spool = context.spool.root.resolve()
    if place.is_relative_to(spool) or spool.is_relative_to(place):
        raise ConfigError(f"{place} lies in the spool, or the spool in it: name another folder")
    chosen = _chosen(context, options)
    draft = Draft(place, _settings(options), options.secret)
    pseudonyms = Pseudonyms(draft.secret)
    left_out: list[LeftOut] = []
    done: list[tuple[Study, DoneStudy]] = []
    for study in chosen:
        if study.state not in _WHOLE:
            left_out.append(LeftOut(study.id, None, f"is {study.state}"))
            continue
        one = _copied(context, study, draft, pseudonyms, options)
        left_out += [LeftOut(study.id, row, reason) for row, reason in one.left_out.items()]
        if one.images:
            done.append((study, one))
    if not done:
        draft.discard()
        reasons = sorted({one.reason for one in left_out})
        raise StateError(f"nothing to export: {'; '.join(reasons) or 'no study is chosen'}")
    labels = _of_feedback(context) if options.labels is None else options.labels
    labelled = _write_tables(draft.folder, done, options, labels)
    draft.publish([one for _, one in done])
    return Exported(
        str(place),
        studies=len(done),
        patients=len({one.patient for _, one in done}),
        images=sum(one.images for _, one in done),
        labelled=labelled,
        left_out=left_out,
    )


def _chosen(context: FlowContext, options: ExportOptions) -> list[Study]:
    found = [find_study(context, reference).study for reference in options.studies]
    if options.since is not None:
        with context.database.read() as session:
            lines = overview.studies(session, Filter(since=options.since, limit=_ALL))
        found += [line.study for line in reversed(lines)]
    return list({study.id: study for study in found}.values())


def _copied(
    context: FlowContext,
    study: Study,
    draft: Draft,
    pseudonyms: Pseudonyms,
    options: ExportOptions,
) -> DoneStudy:
    """Copy a study, unless that is done already; the ledger has a line before others read it."""
    key = f"{study.id}-{study.revision}-{study.correction}"
    one = draft.find(key)
    if one is None:
        one = copy_study(
            context,
            study,
            draft.folder,
            options.profile,
            pseudonyms,
            with_burned_in=options.with_burned_in,
        )
        if one.images:
            retained = ", ".join(sorted(options.profile.retain)) or "nothing"
            note.deidentified(context, study.id, f"{one.images} images, retained: {retained}")
        draft.note(key, one)
    return one


def _settings(options: ExportOptions) -> dict[str, object]:
    return {
        "pacs_ai": __version__,
        "edition": EDITION,
        "retain": sorted(options.profile.retain),
        "with_burned_in": options.with_burned_in,
    }


def _of_feedback(context: FlowContext) -> Labels:
    """Return what users have said of studies, as labels."""
    said = training_labels(context, Filter(limit=_ALL)).studies
    return {
        one.study_instance_uid: {name: VALUES[label] for name, label in one.labels.items()}
        for one in said
    }


def _write_tables(
    folder: Path,
    done: Iterable[tuple[Study, DoneStudy]],
    options: ExportOptions,
    labels: Labels,
) -> int:
    """Write what was done, and the labels with a section of a recipe; return how many there are."""
    atomic_write(folder / "export.json", json.dumps(_settings(options), indent=1) + "\n")
    labelled = [
        (one.uid, one.patient, values)
        for study, one in done
        if (values := labels.get(str(study.id), labels.get(study.study_instance_uid)))
    ]
    if labelled:
        table = labels_table(labelled)
        atomic_write(folder / "labels.csv", table)
        atomic_write(folder / "data.toml", data_section(table))
    return len(labelled)


def export_secret(path: Path, *, make: bytes) -> bytes:
    """Read the secret of earlier exports from a file, or write a new one there.

    Parameters
    ----------
    make
        What is written where there is no such file; readable by its owner only.

    Raises
    ------
    ConfigError
        If the file holds no secret.
    """
    if not path.exists():
        atomic_write(path, make.hex() + "\n", replace=False, mode=0o600)
    try:
        secret = bytes.fromhex(path.read_text("utf-8").strip())
    except (OSError, ValueError):
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise ConfigError(f"{path}: is not the secret of an export (64 hexadecimal digits)")
    return secret
