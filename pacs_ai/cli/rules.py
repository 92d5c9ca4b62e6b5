"""``pacs-ai rules``: what the rules say of files, and which are in force."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.config import Config, load_config
from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.dicom.study_files import find_files
from pacs_ai.errors import ConfigError, NotDicom
from pacs_ai.flow.current_rules import TAKEN_BY_RELOAD, reload_rules
from pacs_ai.flow.rule_check import check_rules
from pacs_ai.flow.rule_explain import ExplainedClause
from pacs_ai.flow.rule_trial import StudyTrial, TriedRule, try_rules
from pacs_ai.node.wiring import node_name

app = group("The rules: which studies go to which model.")

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, or folders with files.")
]


@app.command("test")
def trial(
    paths: Paths,
    *,
    calling: Annotated[
        str, typer.Option("--calling", metavar="AET", help="AE title of the sender.")
    ] = "",
    called: Annotated[
        str, typer.Option("--called", metavar="AET", help="AE title that it calls.")
    ] = "",
    address: Annotated[
        str, typer.Option("--address", metavar="IP", help="Network address of the sender.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> int:
    """Say clause by clause why each rule matches the studies in files, or does not.

    Nothing is analysed, sent or kept, and no node is needed. Exit code 4 if no file can be read.
    """
    settings = read_config(config, verbose=verbose)
    check_rules(settings)
    if max(len(calling), len(called)) > MAX_TITLE:
        raise ConfigError(f"an AE title has at most {MAX_TITLE} characters")
    files = find_files(paths).files
    trial = try_rules(settings, files, (calling, called or settings.node.ae_title, address))
    if not trial.studies:
        raise NotDicom(f"none of {len(trial.unread)} files can be read as DICOM")
    if as_json:
        print_json(trial.as_dict())
    else:
        for study in trial.studies:
            _print_study(study)
    for path, reason in trial.unread.items():
        print(f"pacs-ai: {path}: left out: {reason}", file=sys.stderr)
    return 0


@app.command()
def reload(*, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Let the node of this machine take the rules, routing, peers and times of the file.

    They are checked as at the start. What runs goes on with what it began with; all processes take
    them from their next task on. Exit code 2 if they are refused: the node keeps what it has, and
    its page and log say so. Other sections count from the next start of the node.
    """
    settings = _readable(config, verbose=verbose)
    with opened_node(settings) as node:
        revision, changed = reload_rules(node, node_name(), partial(load_config, config))
    if as_json:
        print_json({"revision": revision, "changed": changed})
        return
    said = "taken" if changed else "as they were"
    print(f"rules: {said}, revision {revision}; other sections count from the next start")


def _readable(config: Path | None, *, verbose: bool) -> Config:
    """Read what says where the node is, also from a file whose rules are refused."""
    try:
        return read_config(config, verbose=verbose)
    except ConfigError as error:
        try:
            return load_config(config, without=TAKEN_BY_RELOAD)
        except ConfigError:
            raise error from None


def _print_study(study: StudyTrial) -> None:
    print(f"study {study.study_instance_uid}: {study.files} files")
    if study.passive:
        print(f"  no reason to analyse it: {study.passive}")
    if study.urgent:
        print("  urgent: [routing] urgent holds")
    for rule in study.rules:
        _print_rule(rule)
    if study.rules and not any(rule.matches for rule in study.rules):
        print(f"  no rule matches: the study is {study.unmatched}")


def _print_rule(rule: TriedRule) -> None:
    said = f"matches -> {rule.model}, {rule.priority}" if rule.matches else "does not match"
    print(f"  rule {rule.rule!r}: {said}")
    where = "" if rule.matches else ", the nearest to it"
    print(f"    {rule.file}{where}")
    if not rule.clauses:
        print("      has no condition: every study matches")
    for clause in rule.clauses:
        print(_line(clause))
    if rule.min_images:
        print(f"      series: {rule.min_images} or more images of one must be so:")
        for clause in rule.series_clauses:
            print(f"  {_line(clause)}")
        for series, number in rule.series.items():
            sign = "+" if number >= rule.min_images else "-"
            print(f"      {sign} series {series}: {number} images")


def _line(clause: ExplainedClause) -> str:
    sign = "+" if clause.holds else "-"
    start = f"      {'  ' * clause.depth}{sign} {clause.keyword}"
    if not clause.wanted:
        return f"{start}:"
    wanted = " or ".join(map(repr, clause.wanted))
    found = ", ".join(map(repr, clause.found)) or "nothing"
    return f"{start}: wanted {wanted}, found {found}"
