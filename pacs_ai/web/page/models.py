"""The view of the models, and its buttons: activate, roll back, disable."""

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.config import Config, model_of
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import activation, models
from pacs_ai.flow.operate.models import ModelRecord
from pacs_ai.web.page.feedback import concordance_table
from pacs_ai.web.page.forms import field
from pacs_ai.web.page.lists import show_tables
from pacs_ai.web.page.table import Action, Table, row
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


def list_models(request: Request) -> Response:
    """Show the models, and which versions are active."""
    node = node_of(request)
    rows = [
        row(
            one.name,
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
    tables = [Table(title, _COLUMNS, rows, "There are none."), concordance_table(node)]
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
