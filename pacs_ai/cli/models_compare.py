"""``pacs-ai models compare``: two versions of a model on the studies that the node keeps."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, moment
from pacs_ai.cli.tables import print_json, print_table
from pacs_ai.memory import limit_malloc
from pacs_ai.node.priority import WEB_NICENESS, give_way


@with_node
def compare_models(
    first: Annotated[
        str,
        typer.Argument(metavar="A", help="NAME@VERSION, name in [models.*], or a folder."),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    *,
    studies: Annotated[
        list[str] | None,
        typer.Option(
            "--studies",
            metavar="STUDY",
            help="Only these: row id, UID, or reference of the log; several with commas.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only studies whose last image came since: 30m, 12h, 7d, or date and time (UTC).",
            show_default=False,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="CSV with what is true, as for `pacs-ai accept`. Default: feedback.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=0, help="Most studies that are shown with pictures.")
    ] = 20,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path(
        "comparison.html"
    ),
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Replay stored studies with two versions, and say where they agree and where they do not.

    What is known already, of live jobs or in shadow, is not computed again. After an interruption
    the same command goes on where it was. The node may run meanwhile: this command gives way.
    """
    from pacs_ai.comparison.run import Question, compare, write  # the other commands answer sooner

    limit_malloc()
    give_way(WEB_NICENESS)
    chosen = [one for text in studies or () for one in text.split(",") if one]
    threads = os.cpu_count() or 1
    question = Question(first, second, chosen, moment(since), truth, pictures, threads)
    with node_to_open as node:
        values, page = compare(node, question, _progress)
    write(page, out)
    if as_json:
        print_json(values)
        return
    _show(values)
    print(out)


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {of} studies", end="\n" if done == of else "", file=sys.stderr)


def _show(values: dict[str, Any]) -> None:
    print(f"{values['studies']} studies, {values['changed']} with a changed decision")
    rows = [
        (name, str(one["changed"]), _rounded(one["kappa"]), f"{one['mean_difference']:+.4f}")
        for name, one in values["classes"].items()
    ]
    print_table(("class", "changed", "kappa", "mean difference"), rows)


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
