"""The models: which there are, their cards and figures, and the buttons: activate, disable."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.config import Config, model_of
from pacs_ai.errors import ModelError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import activation, models
from pacs_ai.flow.operate.find import missing
from pacs_ai.flow.operate.models import ModelRecord
from pacs_ai.flow.watch_drift import drift_states
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.pages.figures import NAMES, span, value
from pacs_ai.web.page.feedback import concordance_table
from pacs_ai.web.page.forms import field
from pacs_ai.web.page.lists import show_tables
from pacs_ai.web.page.markdown import html_of
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Action, Cell, Table, row
from pacs_ai.web.routes import node_of

_COLUMNS = (
    "Name",
    "Model",
    "Use",
    "Since",
    "By",
    "For",
    "Classes",
    "Precision",
    "Runtime",
    "Configured",
    "SHA-256",
    "State",
)

_HEADLINES = (
    "auc",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "average_precision",
    "calibration_error",
)
_CARD = "MODEL_CARD.md"
_CARD_BYTES = 1 << 20


def list_models(request: Request) -> Response:
    """Show the models, and which versions are active."""
    node = node_of(request)
    rows = [
        row(
            Cell(one.name, f"/models/{one.name}" if one.model else ""),
            f"{one.model} {one.version}",
            _use(one),
            one.since,
            one.set_by,
            ", ".join(one.modalities),
            one.classes,
            one.precision,
            one.runtime,
            (one.configured and "yes") or "no",
            one.sha256,
            one.state,
            actions=_actions(node.config, one),
        )
        for one in models.list_node_models(node)
    ]
    title = "Models of the configuration, and shipped ones"
    table = Table(title, _COLUMNS, rows, "There are none.")
    tables = [table, _drift(node), concordance_table(node)]
    return show_tables(request, "Models", tables, acting=True)


def activate(node: FlowContext, form: dict[str, str]) -> str:
    """Make a version active."""
    return _said(activation.activate_model(node, field(form, "model")))


def roll_back(node: FlowContext, form: dict[str, str]) -> str:
    """Make the version active that was so before."""
    return _said(activation.roll_back_model(node, field(form, "model")))


def disable(node: FlowContext, form: dict[str, str]) -> str:
    """Let no version of a model analyse."""
    return _said(activation.disable_model(node, field(form, "model")))


def _use(one: ModelRecord) -> str:
    if one.active or one.disabled:
        return "active" if one.active else "disabled"
    return "in shadow" if one.shadow else ""


def _actions(config: Config, one: ModelRecord) -> list[Action]:
    name = model_of(config.models, one.name)
    if not one.configured or not one.version:
        return []
    if not one.active:
        version = f"{name}@{one.version}"
        return [Action(f"Activate {version}", "/models/activate", {"model": version})]
    found = [Action(f"Disable {name}", "/models/disable", {"model": name})]
    if one.earlier:
        label = f"Roll back {name} to {one.earlier}"
        found.insert(0, Action(label, "/models/rollback", {"model": name}))
    return found


def _said(found: activation.Activation) -> str:
    return f"model {found.model}: version {found.version} is {found.state.lower()}"


def show_model(request: Request) -> Response:
    """Show one model with its card and its figures."""
    node, name = node_of(request), request.path_params["model"]
    entry = models.known_models(node.config).get(name)
    if entry is None:
        raise missing("there is no such model")
    try:
        bundle = load_bundle(entry.bundle, entry.sha256, node.config.bundles.trusted_keys)
        figures = list(_figures(bundle.read_metrics()))
    except ModelError as error:
        return page(request, "model.html", name=name, tables=[], card="", fault=error.message)
    card = html_of(_card(bundle), 2)
    return page(request, "model.html", name=name, tables=figures, card=card, fault="")


def _figures(metrics: Mapping[str, Any]) -> Iterator[Table]:
    """Make a table of the headline figures by image and by study."""
    of = metrics.get("set", {}).get("name", "test")
    for unit, groups in metrics.get("units", {}).items():
        overall = groups.get("all", {}).get("overall", {})
        rows = [
            row(NAMES[key], value(overall[key]), span(overall[key]))
            for key in _HEADLINES
            if key in overall
        ]
        if rows:
            columns = ("Figure", "Value", "95 % interval")
            yield Table(f"Figures by {unit}, {of}", columns, rows, "")


def _card(bundle: ModelBundle) -> str:
    try:
        with (bundle.folder / _CARD).open("rb") as file:
            return file.read(_CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return "The bundle has no model card."


def _drift(node: FlowContext) -> Table:
    rows = [
        row(
            one.sender or "others",
            one.model,
            one.modality,
            one.studies,
            Cell(*(("unlike", "", "bad") if one.alarm else ("like", "", "good"))),
            one.since,
            one.statistics,
        )
        for one in drift_states(node)
    ]
    columns = ("Sender", "Model", "Type", "Studies compared", "Images are", "Since", "Farthest in")
    return Table("Senders, compared with the validation images", columns, rows, "None yet.")
