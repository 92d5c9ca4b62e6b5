"""What the REST API does: each operation calls the function that the command line calls."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pacs_ai.domain import Role
from pacs_ai.flow.audit.verify import Verified
from pacs_ai.flow.commitment_scu import Answer
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.operate import (
    activation,
    audit,
    commitment,
    deliveries,
    evidence,
    jobs,
    models,
    studies,
    tokens,
    trace,
    trail,
    withdrawals,
)
from pacs_ai.flow.operate.activation import Activation
from pacs_ai.flow.operate.retrying import Retried
from pacs_ai.flow.operate.studies import DeletedStudy, StudyRevision
from pacs_ai.flow.operate.tokens import NewToken
from pacs_ai.flow.operate.trace import TraceRecord
from pacs_ai.flow.operate.withdrawals import WithdrawalRecord
from pacs_ai.store.ledger_listing import LedgerRecord
from pacs_ai.store.records import (
    ChoiceRecord,
    DeliveryRecord,
    EventRecord,
    JobDetails,
    JobRecord,
    StudyDetails,
    StudyRecord,
)
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.store.tokens import TokenRecord
from pacs_ai.web import overview
from pacs_ai.web.api import feedback, notifications, pulls
from pacs_ai.web.api import parameters as given
from pacs_ai.web.api.operation import Operation
from pacs_ai.web.overview import RuleRecord, StatusRecord
from pacs_ai.web.routes import spooling

_READ, _ACT, _ALL = Role.VIEWER, Role.OPERATOR, Role.ADMIN


def _status(node: FlowContext, _: given.NoParameters) -> StatusRecord:
    """Say whether anything is wrong, and count what is open."""
    return overview.status(node)


def _studies(node: FlowContext, asked: given.Studies) -> list[StudyRecord]:
    """List studies, the newest first."""
    return studies.list_studies(node, asked.filter(node))


def _search(node: FlowContext, asked: given.Search) -> list[StudyDetails]:
    """Find studies by accession number. It is in the body, so that no log of a proxy has it."""
    return studies.show_accession(node, asked.accession)


def _study(node: FlowContext, asked: given.OneStudy) -> StudyDetails:
    """Show a study with its jobs, results, deliveries and audit trail."""
    return studies.show_study(node, asked.study)


def _trace(node: FlowContext, asked: given.OneStudy) -> TraceRecord:
    """Show what happened to a study, step by step, and where the time of each revision went."""
    return trace.trace_study(node, asked.study)


def _close(node: FlowContext, asked: given.OneStudy) -> StudyRevision:
    """Close a study that is RECEIVING: wait for nothing more."""
    return studies.close_study(node, asked.study)


def _reroute(node: FlowContext, asked: given.OneStudy) -> StudyRevision:
    """Open a study again and apply the rules, as a new revision."""
    return studies.reroute_study(node, asked.study)


def _choices(node: FlowContext, asked: given.OneStudy) -> list[ChoiceRecord]:
    """List the patients that a study in CONFLICT may be of."""
    return studies.list_choices(node, asked.study)


def _resolve(node: FlowContext, asked: given.Resolution) -> StudyRevision:
    """End a CONFLICT: say whose study it is."""
    return studies.resolve_study(node, asked.study, asked.keep)


def _withdraw(node: FlowContext, asked: given.WithdrawalOf) -> WithdrawalRecord:
    """Take the results of a study back: cancel what waits, tell the destinations that have them."""
    return withdrawals.withdraw_results(node, asked.study, asked.reason, asked.model or "")


def _withdrawals(node: FlowContext, asked: given.OneStudy) -> list[WithdrawalRecord]:
    """List what was withdrawn of a study, and what became of it at each destination."""
    return withdrawals.list_withdrawals(node, asked.study)


def _delete(node: FlowContext, asked: given.OneStudy) -> DeletedStudy:
    """Remove the files, rows and results of a study, so that it can be sent again."""
    return studies.delete_study(node, asked.study)


def _jobs(node: FlowContext, asked: given.Jobs) -> list[JobRecord]:
    """List jobs, the newest first."""
    return jobs.list_jobs(node, asked.filter(node))


def _job(node: FlowContext, asked: given.OneJob) -> JobDetails:
    """Show a job with its results, deliveries and audit trail."""
    return jobs.show_job(node, asked.job)


def _retry_jobs(node: FlowContext, asked: given.JobsAgain) -> Retried:
    """Queue jobs again: the named ones, or all FAILED ones (or of another state) that match."""
    if asked.ids is not None:
        return jobs.retry_jobs(node, asked.ids)
    return jobs.retry_matching_jobs(node, asked.filter(node))


def _cancel_job(node: FlowContext, asked: given.OneJob) -> dict[str, str]:
    """Cancel a job that is QUEUED or WAITING."""
    return {"id": jobs.cancel_job(node, asked.job)}


def _commit(node: FlowContext, asked: given.OneJob) -> list[Answer]:
    """Ask the archives once more whether they keep the results of a job."""
    return commitment.ask_commitment(node, asked.job)


def _deliveries(node: FlowContext, asked: given.Deliveries) -> list[DeliveryRecord]:
    """List deliveries, the newest first."""
    return deliveries.list_deliveries(node, asked.filter(node))


def _retry_deliveries(node: FlowContext, asked: given.DeliveriesAgain) -> Retried:
    """Send again: the named deliveries, or all FAILED ones (or of another state) that match."""
    if asked.ids is not None:
        return deliveries.retry_deliveries(node, asked.ids)
    return deliveries.retry_matching_deliveries(node, asked.filter(node))


def _cancel_deliveries(node: FlowContext, asked: given.TheseDeliveries) -> dict[str, list[int]]:
    """Cancel deliveries that are PENDING, WAITING or FAILED; all of them or none."""
    return {"ids": deliveries.cancel_deliveries(node, asked.ids)}


def _destinations(node: FlowContext, asked: given.Deliveries) -> list[DestinationSummary]:
    """Count deliveries by destination and state."""
    return deliveries.list_destinations(node, asked.filter(node))


def _models(node: FlowContext, _: given.NoParameters) -> list[models.ModelRecord]:
    """List the models of the configuration and the shipped ones, and which versions are active."""
    return models.list_node_models(node)


def _activate(node: FlowContext, asked: given.OneVersion) -> Activation:
    """Let a version of a model do its jobs from now on; jobs that waited for it go on."""
    version = "" if asked.version is None else f"@{asked.version}"
    return activation.activate_model(node, f"{asked.model}{version}")


def _roll_back(node: FlowContext, asked: given.OneModel) -> Activation:
    """Let the version that was active before do the jobs of a model; twice undoes it."""
    return activation.roll_back_model(node, asked.model)


def _disable(node: FlowContext, asked: given.OneModel) -> Activation:
    """Let no version of a model analyse: its jobs wait until one is made active."""
    return activation.disable_model(node, asked.model)


def _rules(node: FlowContext, _: given.NoParameters) -> list[RuleRecord]:
    """List the rules. Values that may name a patient are left out."""
    return overview.rules(up_to_date(node).config)


def _config(node: FlowContext, _: given.NoParameters) -> dict[str, Any]:
    """Show the configuration, without passwords and without values that may name a patient."""
    return overview.redacted(up_to_date(node).config)


def _events(node: FlowContext, asked: given.Newest) -> list[EventRecord]:
    """List what happened last: the newest lines of the audit trail."""
    return trail.list_events(node, asked.limit)


def _tokens(node: FlowContext, _: given.NoParameters) -> list[TokenRecord]:
    """List the tokens, the revoked ones too."""
    return tokens.list_tokens(node)


def _add_token(node: FlowContext, asked: given.NewTokenOf) -> NewToken:
    """Make a token. The answer is the only place where it can be seen."""
    return tokens.add_token(node, asked.name, asked.role)


def _revoke_token(node: FlowContext, asked: given.OneToken) -> dict[str, str]:
    """Make a token invalid, at once and for good."""
    tokens.revoke_token(node, asked.name)
    return {"name": asked.name}


def _ledger(node: FlowContext, asked: given.Ledger) -> list[LedgerRecord]:
    """List the lines of the ledger, the newest first."""
    return audit.list_ledger(node, asked.filter(node))


def _verify_ledger(node: FlowContext, _: given.NoParameters) -> Verified:
    """Compute the chain of the ledger again; `problems` says what was changed or is missing."""
    return audit.check_ledger(node)


def _evidence(node: FlowContext, asked: given.Evidence) -> Path:
    """Write the evidence of a study: hashes, model, settings, results, deliveries, ledger."""
    path = spooling(node).spool.home / "tmp" / f"{uuid.uuid4().hex}.part"
    return evidence.save_evidence(node, asked.study, path, images=asked.images)


_STUDY = "/studies/{study}"
_MODEL = "/models/{model}"
OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/status", _READ, _status, given.NoParameters, StatusRecord),
    Operation("GET", "/studies", _READ, _studies, given.Studies, list[StudyRecord]),
    Operation("POST", "/studies/search", _READ, _search, given.Search, list[StudyDetails]),
    Operation("GET", _STUDY, _READ, _study, given.OneStudy, StudyDetails),
    Operation("GET", f"{_STUDY}/trace", _READ, _trace, given.OneStudy, TraceRecord),
    Operation("DELETE", _STUDY, _ALL, _delete, given.OneStudy, DeletedStudy),
    Operation("POST", f"{_STUDY}/close", _ACT, _close, given.OneStudy, StudyRevision),
    Operation("POST", f"{_STUDY}/reroute", _ACT, _reroute, given.OneStudy, StudyRevision),
    Operation("GET", f"{_STUDY}/choices", _READ, _choices, given.OneStudy, list[ChoiceRecord]),
    Operation("POST", f"{_STUDY}/resolve", _ALL, _resolve, given.Resolution, StudyRevision),
    Operation("POST", f"{_STUDY}/withdraw", _ACT, _withdraw, given.WithdrawalOf, WithdrawalRecord),
    Operation(
        "GET", f"{_STUDY}/withdrawals", _READ, _withdrawals, given.OneStudy, list[WithdrawalRecord]
    ),
    Operation("GET", "/jobs", _READ, _jobs, given.Jobs, list[JobRecord]),
    Operation("POST", "/jobs/retry", _ACT, _retry_jobs, given.JobsAgain, Retried),
    Operation("GET", "/jobs/{job}", _READ, _job, given.OneJob, JobDetails),
    Operation("POST", "/jobs/{job}/cancel", _ACT, _cancel_job, given.OneJob, dict[str, str]),
    Operation("POST", "/jobs/{job}/commit", _ACT, _commit, given.OneJob, list[Answer]),
    Operation("GET", "/deliveries", _READ, _deliveries, given.Deliveries, list[DeliveryRecord]),
    Operation("POST", "/deliveries/retry", _ACT, _retry_deliveries, given.DeliveriesAgain, Retried),
    Operation(
        "POST",
        "/deliveries/cancel",
        _ACT,
        _cancel_deliveries,
        given.TheseDeliveries,
        dict[str, list[int]],
    ),
    Operation(
        "GET", "/destinations", _READ, _destinations, given.Deliveries, list[DestinationSummary]
    ),
    Operation("GET", "/models", _READ, _models, given.NoParameters, list[models.ModelRecord]),
    Operation("POST", f"{_MODEL}/activate", _ALL, _activate, given.OneVersion, Activation),
    Operation("POST", f"{_MODEL}/rollback", _ALL, _roll_back, given.OneModel, Activation),
    Operation("POST", f"{_MODEL}/disable", _ALL, _disable, given.OneModel, Activation),
    Operation("GET", "/rules", _READ, _rules, given.NoParameters, list[RuleRecord]),
    Operation("GET", "/config", _READ, _config, given.NoParameters, dict[str, Any]),
    Operation("GET", "/events", _READ, _events, given.Newest, list[EventRecord]),
    Operation("GET", "/tokens", _ALL, _tokens, given.NoParameters, list[TokenRecord]),
    Operation("POST", "/tokens", _ALL, _add_token, given.NewTokenOf, NewToken),
    Operation("DELETE", "/tokens/{name}", _ALL, _revoke_token, given.OneToken, dict[str, str]),
    Operation("GET", "/audit", _ALL, _ledger, given.Ledger, list[LedgerRecord]),
    Operation("POST", "/audit/verify", _ALL, _verify_ledger, given.NoParameters, Verified),
    Operation("GET", f"{_STUDY}/evidence", _ACT, _evidence, given.Evidence, Path),
    *feedback.OPERATIONS,
    *pulls.OPERATIONS,
    *notifications.OPERATIONS,
)
"""A path without parameters comes before one of the same form with them."""
