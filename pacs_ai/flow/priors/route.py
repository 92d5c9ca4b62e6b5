"""Routing of studies that have earlier ones, and of studies that were fetched as such."""

from collections.abc import Mapping, Sequence

from pacs_ai.config import Rule
from pacs_ai.domain import ModelIdentity, StudyId
from pacs_ai.flow.asked_rules import asked_for
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.priors.search import create_job
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.store import active_models, prior_searches, studies
from pacs_ai.store.schema import Instance, Study
from pacs_ai.store.session import Transaction

REASON = "fetched to be compared with"

_log = get_logger()


def ask_for_priors(transaction: Transaction, job_id: str, rules: Sequence[Rule]) -> None:
    """Let earlier studies be looked for, if a rule of a new job wants them to be analysed.

    An urgent job does not wait, so nothing is fetched for it.
    """
    if any(rule.priority == "urgent" for rule in rules):
        return
    waits = [rule.priors.wait for rule in rules if rule.priors is not None and rule.priors.analyse]
    if waits:
        prior_searches.ask(transaction, job_id, transaction.now + max(waits))


def route_as_prior(
    context: FlowContext,
    models: Mapping[str, ModelIdentity],
    study: Study,
    usable: Sequence[Instance],
) -> bool:
    """Make the jobs of a study that was fetched to be compared with; False if it was not.

    No rule applies to it: nobody has asked for a report on it.
    """
    with context.database.read() as session:
        waiting = prior_searches.awaited(session, study)
    if not waiting:
        return False
    with context.write(durable=False) as transaction:
        moved = studies.routed(transaction, StudyId(study.id), study.revision, reason=REASON)
        if not moved:
            return True
        by_model: dict[str, set[str]] = {}
        for one in waiting:
            by_model.setdefault(one.model_name, set()).update(one.rules)
        prior_searches.routed(transaction, study)
        rules = {rule.name: rule for rule in context.config.rules}
        for model, names in by_model.items():
            stamp = active_models.find(transaction, model) or models.get(model)
            getting = [rules[name] for name in sorted(names) if name in rules]
            if stamp is not None and usable:
                create_job(context, transaction, study, model, stamp, asked_for(getting, [], []))
    _log.info("study routed", study=study_ref(study.study_instance_uid), rules=[], reason=REASON)
    return True
