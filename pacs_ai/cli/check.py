"""``pacs-ai check``: results, of this node or of another maker, and the rules of IHE AI Results."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.air.check import OBJECT_RULES, SET_RULES, Finding, Outcome, check, count
from pacs_ai.air.files import read_folder
from pacs_ai.air.objects import Folder, Kind
from pacs_ai.air.rule import ObjectRule, Rule
from pacs_ai.cli.markdown import table
from pacs_ai.cli.options import AsJson, single
from pacs_ai.cli.tables import print_json
from pacs_ai.dicom.reading import text
from pacs_ai.errors import NotDicom

app = single()

_THE_SET = "all results of a study"
_MOST = 3
_WRONG = 1  # exit code


@app.command()
def _check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files, or folders of them.", show_default=False),
    ] = None,
    *,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="Print the rules as a table in Markdown, and nothing else."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare results, of any maker, with the rules of IHE AI Results (AIR) and DICOM.

    Name the folder of the images as well: places, patient and frame of reference are then
    compared with them. Exit code 1 if something is wrong; advice is not wrong.
    """
    if rules:
        print(rules_page(), end="")
        return
    if not paths:
        raise typer.BadParameter("name a file or a folder", param_hint="PATH")
    folder = read_folder(paths)
    if not folder.objects and not folder.damaged:
        raise NotDicom("; ".join(["no result of an analysis", *_rest(folder)]))
    findings = check(folder)
    if as_json:
        print_json(_record(folder, findings))
    else:
        print("\n".join(_lines(folder, findings)))
    if folder.damaged or count(findings)[Outcome.WRONG]:
        raise typer.Exit(_WRONG)


def rules_page() -> str:
    """Return the page of rules, as Markdown."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield "# Rules for results"
    yield ""
    yield "What `pacs-ai check` compares results with, of this node or of another maker; printed"
    yield "by `pacs-ai check --rules` (here a copy that a test keeps the same). AIR is the"
    yield "supplement AI Results of IHE Radiology, Rev. 1.3, for trial implementation. We know its"
    yield "text from public quotations, not as a whole. A rule that is not kept is wrong if it is"
    yield "required, and else only advised. Nothing is said of a rule about something that the"
    yield "object does not have, such as the algorithm of a segment that was made by hand."
    yield ""
    for kind in (*Kind, None):
        yield f"## {_title(kind)}"
        yield ""
        own = [rule for rule in (*OBJECT_RULES, *SET_RULES) if _is_for(rule, kind)]
        rows = [(f"`{rule.name}`", rule.says, rule.level, rule.source) for rule in own]
        yield from table(("Rule", "What it asks for", "Level", "Source"), rows)


def _title(kind: Kind | None) -> str:
    return (kind or _THE_SET).capitalize()


def _is_for(rule: Rule, kind: Kind | None) -> bool:
    if isinstance(rule, ObjectRule):
        return kind is not None and kind in rule.kinds
    return kind is None


def _lines(folder: Folder, findings: Sequence[Finding]) -> Iterator[str]:
    for kind in (*Kind, None):
        own = [finding for finding in findings if finding.kind is kind]
        if own:
            files = list(dict.fromkeys(finding.path for finding in own))
            yield f"{_title(kind)}: {len(files)} ({_few(files)})"
            yield from _by_outcome(own)
            yield ""
    for path, reason in folder.damaged:
        yield f"wrong    {path}: {reason}"
    for said in _rest(folder):
        yield f"Not compared: {said}"
    counted = count(list(findings))
    yield ", ".join(
        f"{number + (len(folder.damaged) if outcome is Outcome.WRONG else 0)} {outcome}"
        for outcome, number in counted.items()
    )


def _by_outcome(findings: Sequence[Finding]) -> Iterator[str]:
    """Write the rules of one kind: first what is wrong, last what is right."""
    for outcome in Outcome:
        of_outcome = [finding for finding in findings if finding.outcome is outcome]
        for rule in dict.fromkeys(finding.rule for finding in of_outcome):
            same = [finding for finding in of_outcome if finding.rule is rule]
            yield f"  {outcome:<8} {rule.says} [{rule.source}]"
            for fault in dict.fromkeys(fault for finding in same for fault in finding.faults):
                paths = [finding.path for finding in same if fault in finding.faults]
                yield f"{'':13}{_few(paths)}: {fault}"


def _rest(folder: Folder) -> Iterator[str]:
    """Say what else was found."""
    if folder.images:
        yield f"{len(folder.images)} images"
    for name in dict.fromkeys(name for _, name in folder.other):
        paths = [path for path, other in folder.other if other == name]
        yield f"{_few(paths)}: AIR has no rules for {name}"
    if folder.foreign:
        yield f"{_few(folder.foreign)}: not DICOM"


def _few(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST
    return ", ".join(paths[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _record(folder: Folder, findings: list[Finding]) -> dict[str, object]:
    return {
        **{outcome.value: number for outcome, number in count(findings).items()},
        "objects": [
            {"path": one.path, "kind": one.kind, "sop_class_uid": text(one.dataset, "SOPClassUID")}
            for one in folder.objects
        ],
        "findings": [
            {
                "rule": finding.rule.name,
                "says": finding.rule.says,
                "source": finding.rule.source,
                "outcome": finding.outcome,
                "kind": finding.kind or _THE_SET,
                "path": finding.path,
                "faults": list(finding.faults),
            }
            for finding in findings
        ],
        "damaged": [{"path": path, "reason": reason} for path, reason in folder.damaged],
        "images": len(folder.images),
        "other": [{"path": path, "object": name} for path, name in folder.other],
        "not_dicom": folder.foreign,
    }
