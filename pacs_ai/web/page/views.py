"""The views that are no lists: the overview, the search, one study, the configuration."""

import json
import re
from collections.abc import Iterator
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pacs_ai.domain import StudyState
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries, feedback, jobs, studies
from pacs_ai.flow.operate.find import missing
from pacs_ai.flow.operate.trail import summed
from pacs_ai.store.records import StudyDetails
from pacs_ai.store.selection import Filter
from pacs_ai.web import overview
from pacs_ai.web.curves import HOURS, Curves
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page import lists
from pacs_ai.web.page.feedback import said_table
from pacs_ai.web.page.forms import read_form
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Action, Table, Value, cell, row, state
from pacs_ai.web.page.withdrawals import REASONS, withdrawal_tables
from pacs_ai.web.routes import node_of

_LAST = 10
_REFERENCE = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


def show_overview(request: Request) -> Response:
    """Say whether anything is wrong, and what arrived last."""
    node = node_of(request)
    tables = [
        lists.destination_table(deliveries.list_destinations(node, Filter())),
        lists.study_table("Last studies", studies.list_studies(node, Filter(limit=_LAST))),
    ]
    found = overview.status(node)
    nodes = overview.nodes(node)
    if len(nodes) > 1:
        rows = [row(name, "runs" if works else "does not run") for name, works in nodes]
        tables.append(Table("Nodes that share the spool", ("Node", "State"), rows, ""))
    waiting = overview.waiting(found)
    return page(request, "overview.html", tables=tables, found=found, waiting=waiting, hours=HOURS)


def show_curves(request: Request) -> Response:
    """Give the figures of the curves to the script that draws them."""
    curves: Curves = request.app.state.curves
    return JSONResponse(curves.figures(node_of(request)))


async def search(request: Request) -> Response:
    """Find a study by accession number, UID or reference, or by one of its jobs."""
    form = await read_form(request)
    wanted = form.get("wanted", "").strip()
    if _REFERENCE.fullmatch(wanted) is None:
        raise BadRequest("say what to look for, with at most 128 characters")
    found = await run_in_threadpool(_found, node_of(request), wanted)
    if len(found) == 1:
        return RedirectResponse(f"/studies/{found[0].id}", 303)
    table = lists.study_table("Studies with this accession number", found)
    shown = partial(lists.show_tables, searching=True)
    return await run_in_threadpool(shown, request, "Found", [table])


def show_study(request: Request) -> Response:
    """Show one study with its jobs, results, deliveries and audit trail."""
    node = node_of(request)
    reference = request.path_params["study"]
    if _REFERENCE.fullmatch(reference) is None:
        raise missing("there is no such study")
    study = studies.show_study(node, reference)
    return page(
        request,
        "study.html",
        study=study,
        facts=[(name, cell(value)) for name, value in _facts(study) if value not in (None, "")],
        deleted=study.state == StudyState.DELETED,
        actions=_actions(study),
        judged=feedback.list_judged(node, study.id),
        reasons=REASONS if study.results else {},
        tables=[said_table(node, study.id), *withdrawal_tables(node, study.id), *_tables(study)],
    )


def show_configuration(request: Request) -> Response:
    """Show the configuration, section by section."""
    sections = [
        (name, [(key, json.dumps(one)) for key, one in _keys(section)])
        for name, section in overview.redacted(node_of(request).config).items()
    ]
    return page(request, "configuration.html", sections=sections)


def _found(node: FlowContext, wanted: str) -> list[StudyDetails]:
    try:
        return studies.show_accession(node, wanted)
    except StateError:
        pass
    try:
        return [studies.show_study(node, wanted)]
    except StateError:
        pass
    try:
        return [studies.show_study(node, str(jobs.show_job(node, wanted).study))]
    except StateError:
        raise missing(
            "no study has this accession number, UID or reference, and no job this id"
        ) from None


def _facts(study: StudyDetails) -> Iterator[tuple[str, Value]]:
    yield "State", state(study.state)
    yield "Outcome", lists.outcome(study) or "none yet"
    yield "Delivered", study.delivered or "nothing"
    yield "Seconds from last image to result", study.seconds
    yield "Received by node", study.node
    yield "Type", study.modality
    yield "Images", study.instances
    yield "From", f"{study.calling_aet} to {study.called_aet}"
    yield "First image", study.first_received_at
    yield "Last image", study.last_received_at
    yield "Closed", study.closed_at
    yield "Revision", study.revision
    yield "Study Instance UID", study.study_instance_uid
    if study.files_removed_at is not None:
        yield "Files will be removed", study.files_removed_at


def _actions(study: StudyDetails) -> list[Action]:
    path = f"/studies/{study.id}"
    if study.state == StudyState.RECEIVING:
        return [Action("Close: wait for nothing more", f"{path}/close")]
    if study.state in (StudyState.COMPLETE, StudyState.ROUTED):
        return [Action("Apply the rules again", f"{path}/reroute")]
    return [
        Action(f"It is the patient of choice {one.number}", f"{path}/resolve", {"keep": one.keep})
        for one in study.patients
        if study.state == StudyState.CONFLICT
    ]


def _tables(study: StudyDetails) -> Iterator[Table]:
    if study.patients and study.state != StudyState.DELETED:
        rows = [
            row(
                one.number,
                (one.in_use and "yes") or "no",
                one.images,
                ", ".join(one.from_),
                one.first_received_at,
                ", ".join(one.differs_in),
            )
            for one in study.patients
        ]
        columns = ("Choice", "In use", "Images", "From", "First image", "Differs in")
        yield Table("Patients that it may be of", columns, rows, "")
    yield lists.time_table(study.revisions)
    yield lists.job_table("Jobs", study.jobs)
    yield lists.delivery_table("Deliveries", study.deliveries)
    results = [row(one.result, one.sop_instance_uid, one.file) for one in study.results]
    yield Table("Results", ("Result", "SOP Instance UID", "File"), results, "There are none.")
    if study.not_analysed:
        left_out = [row(one.sop_instance_uid, one.reason) for one in study.not_analysed]
        yield Table("Not analysed", ("SOP Instance UID", "Reason"), left_out, "")
    yield lists.event_table("What happened", summed(study.events))


def _keys(section: object) -> list[tuple[str, object]]:
    if isinstance(section, dict):
        return list(section.items())
    if isinstance(section, list):  # of rules
        return [(str(number), one) for number, one in enumerate(section, start=1)]
    return [("", section)]
