"""Results go into the spool; the database says what they state and who gets them."""

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pacs_ai.analysis.make import ContextOf
from pacs_ai.analysis.study import Wanted
from pacs_ai.config import Config, DicomwebPeer, DimsePeer, Rule, sent_to
from pacs_ai.digests import digest_of
from pacs_ai.domain import ResultKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import stored_before
from pacs_ai.results.build import Built
from pacs_ai.results.common.context import ResultContext, result_context
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.prior import Prior
from pacs_ai.results.kinds import PICTURES, SHOWN_BY_PICTURES
from pacs_ai.store import identities, priors, results, sending, withdrawal_rows
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Job, Result, Study


class SpoolWriter:
    """Keeps results in the spool, each written only once.

    A result that an earlier revision made already (same model, same images: same UID) is not
    written again: the stored bytes are what is sent, as long as they are kept. What was written has
    to be flushed, all of it together, before the database says that it is there.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._group = f"{random.getrandbits(8):02x}"

    def write(self, result: Built) -> StoredResult:
        """Store a result; nobody gets it yet.

        Raises
        ------
        StorageError
            If the spool or the database is out of reach.
        InvalidResult
            If the result cannot be encoded.
        """
        known = stored_before(self._context, result.sop_instance_uid)
        if known is not None:
            path, size, digest = known.path, known.bytes, known.digest
        else:
            pieces = result.pieces()
            path = self._context.spool.write_result(pieces, result.suffix, group=self._group)
            size, digest = sum(map(len, pieces)), digest_of(*pieces)
        return StoredResult(
            kind=result.kind,
            number=result.number,
            sop_class_uid=result.sop_class_uid,
            sop_instance_uid=result.sop_instance_uid,
            series_instance_uid=result.series_instance_uid,
            path=path,
            digest=digest,
            send_to=(),
            fresh=known is None,
            bytes=size,
        )

    def remove(self, written: StoredResult) -> None:
        """Delete the file of a result, unless an earlier revision wrote it."""
        if written.fresh:
            self._context.spool.delete(written.path)


def wanted_results(config: Config, rules: Sequence[Rule], context_of: ContextOf) -> Wanted:
    """Return what the rules of a job ask for."""
    return Wanted(
        results=_kinds(rules),
        refusals=_kinds(asking_for_refusals(rules)),
        context_of=context_of,
        in_reserve=_in_reserve(config, rules),
    )


def _in_reserve(config: Config, rules: Sequence[Rule]) -> list[ResultKind]:
    """Return what takes the place of what many archives do not take, if an archive gets such.

    Captures if no pictures are made, and the binary segmentation of a label map.
    """
    made = _kinds(rules)
    archives = [
        (rule, config.peers[name])
        for rule in rules
        for name in rule.send_to
        if isinstance(config.peers.get(name), DimsePeer | DicomwebPeer)
    ]
    sent = {kind for rule, peer in archives for kind in sent_to(rule, peer)}
    reserve = []
    if sent.intersection(SHOWN_BY_PICTURES) and not any(kind in PICTURES for kind in made):
        reserve.append(ResultKind.CAPTURE)
    if ResultKind.LABEL_MAP in sent and ResultKind.SEG not in made:
        reserve.append(ResultKind.SEG)
    return reserve


def asking_for_refusals(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules that ask for a report of a study that is not analysable."""
    return [rule for rule in rules if rule.when_not_analysable == "report"]


def addressed(
    context: FlowContext,
    job: Job,
    made: Iterable[StoredResult],
    rules: Sequence[Rule],
    *,
    positive: bool,
) -> list[StoredResult]:
    """Return results with the peers that get them: the rules' choice, narrowed by the peer's.

    Parameters
    ----------
    positive
        Whether a finding is present. If not, a peer that wants positive results only gets what
        takes the place of an earlier one that it has.
    """
    left_out = frozenset[str]() if positive else _untouched(context, job)
    return [
        replace(one, send_to=_peers(context, ResultKind(one.kind), rules, left_out)) for one in made
    ]


def _untouched(context: FlowContext, job: Job) -> frozenset[str]:
    """Return the peers that want positive results only and have got none of this study's."""
    wanting = {name for name, peer in context.config.peers.items() if peer.only_positive}
    if not wanting:
        return frozenset()
    with context.database.read() as session:
        return frozenset(wanting - sending.told_before(session, job))


def _kinds(rules: Sequence[Rule]) -> list[ResultKind]:
    """Return the kinds that any of the rules names, in their order."""
    return [kind for kind in ResultKind if any(kind in rule.results for rule in rules)]


def _peers(
    context: FlowContext, kind: ResultKind, rules: Sequence[Rule], left_out: Collection[str]
) -> tuple[str, ...]:
    names = [
        name
        for rule in rules
        for name in rule.send_to
        if name not in left_out and kind in sent_to(rule, context.config.peers[name])
    ]
    return tuple(dict.fromkeys(names))


def _holds(earlier: Result, job: Job) -> bool:
    """Tell whether an earlier result is of the same patient, and nobody has taken it back."""
    return earlier.correction == job.correction and earlier.withdrawal_id is None


def result_context_of(context: FlowContext, job: Job) -> ResultContext:
    """Return what the results of a job state besides the prediction."""
    with context.database.read() as session:
        row = results.previous(session, job, ResultKind.REPORT)
        bundle = results.previous(session, job, ResultKind.FHIR)
        message = results.previous(session, job, ResultKind.HL7)
        study = session.get_one(Study, job.study_id)
        used, withdrawn = identities.used(session, study), withdrawal_rows.before(session, job)
        compared = priors.comparison_of(session, job.id)
    earlier = None
    if row is not None:
        earlier = Predecessor(
            study.study_instance_uid,
            row.series_instance_uid,
            row.sop_class_uid,
            row.sop_instance_uid,
        )
    made_by = result_context(context.config, context.installation_uid(), job.created_at, earlier)
    parts = (used, f"withdrawn {withdrawn}" if withdrawn else "")
    made_by = replace(
        made_by,
        identity="/".join(filter(None, parts)),
        earlier_bundle="" if bundle is None else bundle.sop_instance_uid,
        corrects_message=message is not None and _holds(message, job),
    )
    if compared is None:
        return made_by
    prior = Prior.read(compared.content) if compared.content else None
    return replace(made_by, prior=prior, prior_missing=compared.missing)
