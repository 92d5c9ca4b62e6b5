"""Where step 4 ends without a score: what the rules want said about it, and to whom."""

from collections.abc import Collection, Sequence

from pacs_ai.domain import REFUSALS, ModelIdentity, Refusal, ResultKind
from pacs_ai.errors import DataError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.encode import encode_refusal
from pacs_ai.flow.look import Source, open_sources
from pacs_ai.logs import get_logger
from pacs_ai.results.common.context import own_result
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Job

_log = get_logger()


def say_why(
    context: FlowContext,
    job: Job,
    model: ModelIdentity,
    sources: Sequence[Source],
    error: DataError,
    kinds: Collection[ResultKind] = REFUSALS,
) -> list[StoredResult]:
    """Make the results of a study that was not analysable, for the rules that ask for them.

    Parameters
    ----------
    error
        Why there is no result.
    kinds
        What there is no result of.

    Returns
    -------
    list of StoredResult
        None where no rule asks, where no instance can be read (whose study would it be?), and
        where the results themselves break a rule: that they cannot be made must not hide why the
        study was rejected.
    """
    rules = [rule for rule in context.config.rules if rule.name in job.rules]
    asked = any(rule.when_not_analysable == "report" for rule in rules)
    if not asked or not REFUSALS.intersection(kinds):
        return []
    refusal = refusal_of(model, sources, error)
    if refusal is None:
        return []
    try:
        encoded = encode_refusal(context, job, refusal, rules, [k for k in REFUSALS if k in kinds])
    except DataError as unread:
        _log.error("no report of a rejected job", job=job.id, error=unread.code)
        return []
    for kind, failure in encoded.failed.items():
        _log.error("no report of a rejected job", job=job.id, kind=kind, error=failure.code)
    return encoded.made


def refusal_of(model: ModelIdentity, sources: Sequence[Source], error: DataError) -> Refusal | None:
    """Say why a study was not analysable; None if no instance of it can be read.

    Results of ours do not count: nobody reports on a report.
    """
    headers = tuple(
        header
        for header in open_sources(sources).headers
        if not own_result(header.manufacturer, header.model_name)
    )
    return Refusal(model, headers, error.code, error.message) if headers else None
