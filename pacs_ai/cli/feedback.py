"""``pacs-ai feedback``: what people say about results."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.filters import Filters, wanted, with_filters
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.files import atomic_file
from pacs_ai.flow.feedback.concordance import Concordance
from pacs_ai.flow.feedback.training_labels import as_csv
from pacs_ai.flow.operate import feedback as operate
from pacs_ai.flow.operate.feedback import FeedbackRecord
from pacs_ai.store.records import to_dict

app = group("Feedback on results: add, list, concordance, export.")


@app.command()
@with_node
def add(
    result: Annotated[
        str,
        typer.Argument(
            metavar="RESULT",
            help="Id of its job, or the beginning of it, or SOP Instance UID of the result.",
        ),
    ],
    kind: Annotated[
        FeedbackKind,
        typer.Argument(metavar="accept|modify|reject", help="What the result is worth."),
    ],
    *,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="CLASS=LABEL",
            help="A class that is present, absent or uncertain; may be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Say what a result is worth; who accepts it agrees with every decision of the model."""
    labels = dict(_label(text) for text in label or [])
    with node_to_open as node:
        record = operate.add_feedback(node, result, kind, labels, "cli")
    if as_json:
        print_json(to_dict(record))
    else:
        print(f"{record.kind}: result {record.sop_instance_uid} of {record.model}")


def _label(text: str) -> tuple[str, Label]:
    name, _, label = text.rpartition("=")
    if not name or label not in tuple(Label):
        raise typer.BadParameter(
            f"{text!r} is not CLASS=present, CLASS=absent or CLASS=uncertain", param_hint="--label"
        )
    return name, Label(label)


@app.command("list")
@with_node
@with_filters("study", "model", "since", "before")
def list_feedback(
    *, filters: Filters, limit: Limit = 50, as_json: AsJson = False, node_to_open: NodeToOpen
) -> None:
    """List feedback, the newest first."""
    with node_to_open as node:
        records = operate.list_feedback(node, wanted(node, filters, limit=limit))
    if as_json:
        print_json([to_dict(record) for record in records])
    else:
        show_lines([_line(record) for record in records], nothing="no feedback")


def _line(record: FeedbackRecord) -> dict[str, object]:
    return {
        "at": record.at,
        "study": record.study,
        "job": record.job[:8],
        "model": record.model,
        "user": record.user,
        "by": record.source,
        "kind": record.kind if record.counts else f"{record.kind} (replaced)",
        "result": record.holds,
        "labels": [f"{name}: {label}" for name, label in record.labels.items()],
    }


@app.command()
@with_node
@with_filters("model", "since", "before")
def concordance(*, filters: Filters, as_json: AsJson = False, node_to_open: NodeToOpen) -> None:
    """Show how often people agree with each model version, by month and class."""
    with node_to_open as node:
        lines = operate.list_concordance(node, wanted(node, filters))
    if as_json:
        print_json([asdict(line) for line in lines])
    else:
        show_lines([_share(line) for line in lines], nothing="no feedback")


def _share(line: Concordance) -> dict[str, object]:
    return {
        "model": f"{line.model} {line.version}",
        "manifest": line.manifest_sha256[:8],
        "month": line.month,
        "class": line.finding,
        "agreed": f"{line.agreed}/{line.cases}",
        "share": f"{100 * line.share:.1f} %",
        "95_%_interval": f"{100 * line.low:.1f}..{100 * line.high:.1f} %",
    }


@app.command()
@with_node
@with_filters("study", "model", "since", "before")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file.")],
    *,
    filters: Filters,
    node_to_open: NodeToOpen,
) -> None:
    """Write the labels of the studies for the next training: 1, 0, or -1 where it is uncertain."""
    with node_to_open as node:
        labels = operate.training_labels(node, wanted(node, filters))
    with atomic_file(file) as stream:
        stream.write(as_csv(labels.studies).encode())
    print(f"{file}: labels of {len(labels.studies)} studies")
    if labels.left_out:
        said = "left out, as their result was amended, withdrawn or deleted"
        print(f"studies that are {said}: {labels.left_out}", file=sys.stderr)
