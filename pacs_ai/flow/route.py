"""Rules decide which models see a study; each becomes a job."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pacs_ai.config import BACK_TO_SENDER, Rule
from pacs_ai.dicom.header import read_header
from pacs_ai.domain import ModelIdentity, StudyId
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.ask import ask_analysis
from pacs_ai.flow.asked_rules import asked_for, peers_of_sender, priority_of
from pacs_ai.flow.context import FlowContext, split_pair
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.loop_guard import NOT_ANALYSED, OWN_RESULT, stays_passive
from pacs_ai.flow.priors.route import ask_for_priors, route_as_prior
from pacs_ai.flow.study_matching import Match, matching_rules
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.priorities import Priority
from pacs_ai.store import active_models, instances, jobs, repeats, studies
from pacs_ai.store.active_models import Stamp
from pacs_ai.store.indexes import NO_RULE
from pacs_ai.store.schema import Instance, Study
from pacs_ai.store.session import Transaction

_log = get_logger()


def route(context: FlowContext, models: Mapping[str, ModelIdentity], key: str) -> None:
    """Apply the rules to a complete study; a second run inserts nothing.

    Parameters
    ----------
    models
        The models of the configuration, by the names that rules use; another version may be active.
    key
        The study's row id and revision.

    Raises
    ------
    StorageError
        If a file that decides cannot be read, or is damaged: the study waits, and the task comes
        again.
    """
    study_id, revision = split_pair(key)
    with context.database.read() as session:
        study = session.get(Study, int(study_id))
        if study is None or study.revision != int(revision):
            return  # a newer revision took over
        rows = instances.of_revision(session, StudyId(study.id), study.revision)
    try:
        usable = [instance for instance in rows if _usable(context, instance)]
        match = matching_rules(context, study, usable)
        if not usable:
            match = _to_be_told(context, study, rows)
    except StorageError as error:
        _hold(context, study, error)
        raise
    if route_as_prior(context, models, study, usable):
        return
    reason = _reason(rows, usable, match)
    _create_jobs(context, models, study, match, reason)
    _log.info(
        "study routed",
        study=study_ref(study.study_instance_uid),
        rules=[rule.name for rule in match.rules],
        reason=reason,
    )


def _create_jobs(
    context: FlowContext,
    models: Mapping[str, ModelIdentity],
    study: Study,
    match: Match,
    reason: str,
) -> None:
    """Move the study on, and make a job for each model that a rule names, in one transaction."""
    by_model: dict[str, list[Rule]] = {}
    for rule in match.rules:
        for model in rule.models:
            by_model.setdefault(model, []).append(rule)
    with context.write(durable=False) as transaction:
        routed = studies.routed(transaction, StudyId(study.id), study.revision, reason=reason)
        if not routed:
            return
        for model, rules in by_model.items():
            runs = active_models.find(transaction, model) or models[model]
            _create_job(context, transaction, study, rules, (model, runs), match)


def _create_job(
    context: FlowContext,
    transaction: Transaction,
    study: Study,
    rules: Sequence[Rule],
    model: tuple[str, Stamp],
    match: Match,
) -> None:
    names = [rule.name for rule in rules]
    if repeats.carry_over(transaction, study, names, *model):
        return
    job_id = jobs.create(
        transaction,
        study,
        names,
        *model,
        priority=Priority.URGENT if match.urgent else priority_of(rules),
        asked=asked_for(rules, match.series_of(rules), _senders(context, study, rules, match)),
    )
    if job_id is not None:
        if not match.urgent:
            ask_for_priors(transaction, job_id, rules)
        ask_analysis(context, transaction, job_id)


def _senders(context: FlowContext, study: Study, rules: Sequence[Rule], match: Match) -> list[str]:
    """Return the peers that results go back to; a sender that is no peer gets nothing."""
    if not any(BACK_TO_SENDER in rule.send_to for rule in rules):
        return []
    found: dict[str, None] = {}
    for calling, _, address in match.ways:
        peers = peers_of_sender(context.config, calling, address)
        found.update(dict.fromkeys(peers))
        if not peers:
            _log.error(
                "sender is no peer: it gets no results",
                study=study_ref(study.study_instance_uid),
                sender=calling,
            )
    return list(found)


def _hold(context: FlowContext, study: Study, error: StorageError) -> None:
    """Say why a study waits for its route: what a file says that nobody can read, decides it."""
    reason = f"{error.code}: {error.message}"
    _log.error("study not routed", study=study_ref(study.study_instance_uid), error=error.code)
    with context.write() as transaction:
        studies.wait_for_route(transaction, StudyId(study.id), study.revision, reason)


def _usable(context: FlowContext, instance: Instance) -> bool:
    """Tell whether an instance is a reason to analyse its study.

    One that could not be decoded in an earlier revision is: it is counted, and tried again.
    """
    if not instance.unusable_reason:
        return True
    if instance.unusable_reason == OWN_RESULT:
        return False
    check_instances(context.spool, [instance])
    try:
        return not stays_passive(read_header(context.spool.path_of(instance.path)))
    except NotDicom:
        return False


def _to_be_told(context: FlowContext, study: Study, rows: Sequence[Instance]) -> Match:
    """Return the rules that want to hear of a study without any image that is not analysed.

    A study of nothing but results of ours is nothing to report on: the report would come back.
    """
    others = [instance for instance in rows if instance.unusable_reason != OWN_RESULT]
    match = matching_rules(context, study, others)
    rules = [rule for rule in match.rules if rule.when_not_analysable == "report"]
    return Match(tuple(rules), match.ways, urgent=match.urgent)


def _reason(rows: Sequence[Instance], usable: Sequence[Instance], match: Match) -> str:
    if usable:
        return "" if match.rules else match.missing or NO_RULE
    kinds = Counter(row.unusable_reason.removesuffix(NOT_ANALYSED) for row in rows)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"nothing to analyse: no image among the instances ({counted or 'there are none'})"
