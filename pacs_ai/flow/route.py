"""Rules decide which models see a study; each becomes a job."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pacs_ai.config import Rule
from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.modules import PATIENT_AND_STUDY
from pacs_ai.domain import ModelIdentity, StudyId, TaskKind
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext, split_pair
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.loop_guard import NOT_ANALYSED, OWN_RESULT, stays_passive
from pacs_ai.flow.rule_matching import SENDER_KEYS, Facts, matches_any_way
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import active_models, identities, instances, jobs, repeats, studies
from pacs_ai.store.schema import Instance, Study

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
        matched = matching_rules(context, study, usable)
        matched = matched or _to_be_told(context, study, rows, usable)
    except StorageError as error:
        _hold(context, study, error)
        raise
    reason = _reason(rows, usable, matched)
    by_model: dict[str, list[str]] = {}
    for rule in matched:
        by_model.setdefault(rule.model, []).append(rule.name)
    with context.write(durable=False) as transaction:
        routed = studies.routed(transaction, StudyId(study.id), study.revision, reason=reason)
        if not routed:
            return
        for model, rules in by_model.items():
            runs = active_models.find(transaction, model) or models[model]
            if repeats.carry_over(transaction, study, rules, model, runs):
                continue
            job_id = jobs.create(transaction, study, rules, model, runs)
            if job_id is not None:
                context.engine.enqueue(transaction, TaskKind.ANALYSE, job_id)
    _log.info(
        "study routed",
        study=study_ref(study.study_instance_uid),
        rules=[rule.name for rule in matched],
        reason=reason,
    )


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


def _to_be_told(
    context: FlowContext, study: Study, rows: Sequence[Instance], usable: Sequence[Instance]
) -> list[Rule]:
    """Return the rules that want to hear of a study without any image that is not analysed.

    A study of nothing but results of ours is nothing to report on: the report would come back.
    """
    if usable:
        return []
    others = [instance for instance in rows if instance.unusable_reason != OWN_RESULT]
    matched = matching_rules(context, study, others)
    return [rule for rule in matched if rule.when_not_analysable == "report"]


def matching_rules(context: FlowContext, study: Study, usable: Sequence[Instance]) -> list[Rule]:
    """Return the rules of which every condition holds for one and the same instance.

    An instance that came by several ways (senders, names it was sent to) counts for each.
    """
    wanted = {
        keyword
        for rule in context.config.rules
        for keyword in rule.when
        if keyword not in SENDER_KEYS
    }
    with context.database.read() as session:
        ways = repeats.ways_of_study(session, StudyId(study.id))
        named = identities.foreign(session, study)
    open_rules = list(context.config.rules) if usable else []
    matched: list[Rule] = []
    for instance in usable:
        facts = _facts(context, instance, named.get(instance.id), wanted)
        hits = [rule for rule in open_rules if matches_any_way(rule.when, facts, ways[instance.id])]
        matched += hits
        open_rules = [rule for rule in open_rules if rule not in hits]
        if not open_rules:
            break
    return [rule for rule in context.config.rules if rule in matched]


def _facts(context: FlowContext, instance: Instance, named: str | None, wanted: set[str]) -> Facts:
    """Read what rules ask about; of the patient and the study from a file of the right patient."""
    if not wanted:
        return {}
    check_instances(context.spool, [instance])
    try:
        facts = read_facts(context.spool.path_of(instance.path), wanted)
        if named:
            whose = wanted.intersection(PATIENT_AND_STUDY)
            facts = {key: value for key, value in facts.items() if key not in whose}
            facts |= read_facts(context.spool.path_of(named), whose)
    except NotDicom:
        return {}
    return facts


def _reason(rows: Sequence[Instance], usable: Sequence[Instance], matched: Sequence[Rule]) -> str:
    if usable:
        return "" if matched else "no rule matches"
    kinds = Counter(row.unusable_reason.removesuffix(NOT_ANALYSED) for row in rows)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"nothing to analyse: no image among the instances ({counted or 'there are none'})"
