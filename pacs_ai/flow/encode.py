"""The second half of step 4: from a prediction to stored result objects, each built only once."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai import __version__
from pacs_ai.config import Config, Rule
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.flow.context import FlowContext
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.context import ResultContext
from pacs_ai.store import results
from pacs_ai.store.schema import Job

SETTINGS_HASH = hashlib.sha256(b"results 1").hexdigest()
"""Part of every result UID: changes with the form of the results, so that both can coexist."""


def encode(
    context: FlowContext, job: Job, prediction: StudyPrediction, rules: Sequence[Rule]
) -> list[results.Made]:
    """Build, check and store what a job's rules ask for.

    An object that an earlier revision made already (same model, same images: same UID) is not
    written again: the stored bytes are what is sent, ever.

    Raises
    ------
    InvalidResult
        If an object breaks a rule of the standard.
    """
    kinds = [kind for kind in ResultKind if any(kind in rule.results for rule in rules)]
    with context.database.read() as session:
        earlier = results.previous_report(session, job)
    made_by = result_context(
        context.config,
        context.installation_uid(),
        job.created_at,
        None if earlier is None else context.spool.path_of(earlier.path),
    )
    return [_store(context, result, rules) for result in make(prediction, kinds, made_by)]


def result_context(
    config: Config, installation_uid: str, created_at: datetime, predecessor: Path | None = None
) -> ResultContext:
    """Return what shapes results besides the prediction: the same for a node and for files."""
    return ResultContext(
        site=config.node.site,
        installation_uid=installation_uid,
        software_version=__version__,
        created_at=created_at,
        settings_hash=SETTINGS_HASH,
        predecessor=predecessor,
    )


def make(
    prediction: StudyPrediction, kinds: Sequence[ResultKind], made_by: ResultContext
) -> list[BuiltResult]:
    """Build results and hold each against the standard; no database, no network.

    Raises
    ------
    InvalidResult
        If an object breaks a rule of the standard.
    """
    built = build_results(prediction, kinds, made_by, grey)
    for result in built:
        check(result)
    return built


def grey(image: ImagePrediction) -> npt.NDArray[np.float32]:
    """Return what a radiologist sees of an image, shape (rows, columns), in [0, 1]."""
    return read_pixels(image.header.path, image.frame)


def _store(context: FlowContext, result: BuiltResult, rules: Sequence[Rule]) -> results.Made:
    with context.database.read() as session:
        known = results.find(session, result.sop_instance_uid)
    if known is not None:
        path, digest = known.path, known.sha256
    else:
        content = result.encode()
        path, digest = context.spool.write_result(content), hashlib.sha256(content).hexdigest()
    return results.Made(
        kind=result.kind,
        number=result.number,
        sop_class_uid=result.sop_class_uid,
        sop_instance_uid=result.sop_instance_uid,
        series_instance_uid=result.series_instance_uid,
        path=path,
        sha256=digest,
        send_to=destinations(context, result.kind, rules),
        fresh=known is None,
    )


def check(result: BuiltResult) -> None:
    """Hold an object against the standard before anybody gets it.

    Raises
    ------
    InvalidResult
        Naming the attributes, not their values.
    """
    problems = check_dataset(result.dataset)
    if problems:
        raise InvalidResult(f"{result.kind} {result.number}: {problems[0]}")


def destinations(context: FlowContext, kind: ResultKind, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the peers that get results of a kind: the rules' choice, narrowed by the peer's."""
    names = [
        name
        for rule in rules
        if kind in rule.results
        for name in rule.send_to
        if kind in (context.config.peers[name].results or (kind,))
    ]
    return tuple(dict.fromkeys(names))
