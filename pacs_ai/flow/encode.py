"""The second half of step 4: from a prediction to stored result objects, each built only once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import numpy as np
import numpy.typing as npt

from pacs_ai import __version__
from pacs_ai.config import Config, Rule, sent_to
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ImagePrediction, Refusal, ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.each_kind import Outcome, each_kind
from pacs_ai.flow.intact import stored_before
from pacs_ai.results.build import Built, BuiltResult, build_refusals, build_results
from pacs_ai.results.common.context import Predecessor, ResultContext
from pacs_ai.results.common.evidence import Evidence, evidence_of
from pacs_ai.store import identities, results
from pacs_ai.store.schema import Job, Study

FORM = b"results 5"
"""Version of the results' form; goes into every result UID, so that two forms can coexist."""


Encoded = Outcome[results.StoredResult]


def encode(
    context: FlowContext, job: Job, prediction: StudyPrediction, rules: Sequence[Rule]
) -> Encoded:
    """Build, check and store what a job's rules ask for.

    An object that an earlier revision made already (same model, same images: same UID) is not
    written again: the stored bytes are what is sent, as long as they are kept.

    Raises
    ------
    NotDicom
        If the source of all results cannot be read.
    """
    made_by, evidence = _made_by(context, job), evidence_of(prediction)

    def build(kinds: Sequence[ResultKind]) -> Iterator[Built]:
        return make(prediction, kinds, made_by, evidence)

    return _kept(context, wanted_kinds(rules), build, rules)


def encode_refusal(
    context: FlowContext,
    job: Job,
    refusal: Refusal,
    rules: Sequence[Rule],
    kinds: Sequence[ResultKind],
) -> Encoded:
    """Build, check and store why there is no result, as far as a job's rules ask for it.

    Parameters
    ----------
    kinds
        What there is no result of; a kind that no asking rule names is left out.
    """
    asking = [rule for rule in rules if rule.when_not_analysable == "report"]
    made_by, evidence = _made_by(context, job), evidence_of(refusal)

    def build(kinds: Sequence[ResultKind]) -> Iterator[Built]:
        return make_refusals(refusal, kinds, made_by, evidence)

    wanted = [kind for kind in wanted_kinds(asking) if kind in kinds]
    return _kept(context, wanted, build, asking)


def _kept(
    context: FlowContext,
    kinds: Sequence[ResultKind],
    build: Callable[[Sequence[ResultKind]], Iterator[Built]],
    rules: Sequence[Rule],
) -> Encoded:
    def drop(one: results.StoredResult) -> None:
        if one.fresh:
            context.spool.delete(one.path)

    return each_kind(kinds, build, partial(_store, context, rules=rules), drop)


def wanted_kinds(rules: Sequence[Rule]) -> list[ResultKind]:
    """Return the kinds that any of the rules names, in their order."""
    return [kind for kind in ResultKind if any(kind in rule.results for rule in rules)]


def _made_by(context: FlowContext, job: Job) -> ResultContext:
    with context.database.read() as session:
        row = results.previous_report(session, job)
        study = session.get_one(Study, job.study_id)
        identity = identities.used(session, study)
    earlier = None
    if row is not None:
        earlier = Predecessor(
            study.study_instance_uid,
            row.series_instance_uid,
            row.sop_class_uid,
            row.sop_instance_uid,
        )
    made_by = result_context(context.config, context.installation_uid(), job.created_at, earlier)
    return replace(made_by, identity=identity)


def result_context(
    config: Config,
    installation_uid: str,
    created_at: datetime,
    predecessor: Predecessor | None = None,
) -> ResultContext:
    """Return what shapes results besides the prediction: the same for a node and for files."""
    return ResultContext(
        site=config.node.site,
        installation_uid=installation_uid,
        software_version=__version__,
        created_at=created_at,
        settings_hash=hashlib.sha256(FORM + config.results.model_dump_json().encode()).hexdigest(),
        predecessor=predecessor,
        font=config.results.font,
    )


def make(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind],
    made_by: ResultContext,
    evidence: Evidence | None = None,
) -> Iterator[Built]:
    """Build results and hold each against the standard; no database, no network.

    Raises
    ------
    InvalidResult
        If an object breaks a rule of the standard.
    """
    return _checked(build_results(prediction, kinds, made_by, grey, evidence))


def make_refusals(
    refusal: Refusal,
    kinds: Sequence[ResultKind],
    made_by: ResultContext,
    evidence: Evidence | None = None,
) -> Iterator[Built]:
    """Build what says why a study was not analysable, and hold it against the standard.

    Raises
    ------
    InvalidResult
        If an object breaks a rule of the standard.
    """
    return _checked(build_refusals(refusal, kinds, made_by, evidence))


def grey(image: ImagePrediction) -> npt.NDArray[np.float32]:
    """Return what a radiologist sees of an image, shape (rows, columns), in [0, 1]."""
    return read_pixels(image.header.path, image.frame, strict=False)


def _store(context: FlowContext, result: Built, rules: Sequence[Rule]) -> results.StoredResult:
    known = stored_before(context, result.sop_instance_uid)
    if known is not None:
        path, size, digest = known.path, known.bytes, known.sha256
    else:
        content = result.encode()
        path, size = context.spool.write_result(content, result.suffix), len(content)
        digest = hashlib.sha256(content).hexdigest()
    return results.StoredResult(
        kind=result.kind,
        number=result.number,
        sop_class_uid=result.sop_class_uid,
        sop_instance_uid=result.sop_instance_uid,
        series_instance_uid=result.series_instance_uid,
        path=path,
        sha256=digest,
        send_to=destinations(context, result.kind, rules),
        fresh=known is None,
        bytes=size,
    )


def _checked(built: Iterable[Built]) -> Iterator[Built]:
    """Hold objects against the standard before anybody gets them; attributes are named."""
    for result in built:
        problems = check_dataset(result.dataset) if isinstance(result, BuiltResult) else ()
        if problems:
            raise InvalidResult(f"{result.kind} {result.number}: {problems[0]}")
        yield result


def destinations(context: FlowContext, kind: ResultKind, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the peers that get results of a kind: the rules' choice, narrowed by the peer's."""
    names = [
        name
        for rule in rules
        for name in rule.send_to
        if kind in sent_to(rule, context.config.peers[name])
    ]
    return tuple(dict.fromkeys(names))
