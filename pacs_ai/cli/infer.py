"""``pacs-ai infer``: the pipeline of the node on files, without network and database."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.infer_study import Options, study_record
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, read_config, single
from pacs_ai.cli.tables import Record, show_records
from pacs_ai.config import Config
from pacs_ai.dicom.study_files import find_files, group_studies
from pacs_ai.domain import ResultKind
from pacs_ai.errors import ConfigError, DataError, InvalidResult, RuntimeFailed, StorageError
from pacs_ai.flow.classifiers import load_classifier, named_bundle
from pacs_ai.logs import get_logger
from pacs_ai.memory import limit_malloc
from pacs_ai.model.predict import Classifier
from pacs_ai.results.common.context import installation_uid, result_context
from pacs_ai.results.content.wording import fraction
from pacs_ai.store.spool import Spool

app = single()

_log = get_logger()

_COLUMNS = (
    "study_instance_uid",
    "modality",
    "class",
    "probability",
    "decision",
    "images",
    "results",
    "seconds",
    "reason",
)


DEFAULT = (ResultKind.REPORT, ResultKind.CAPTURE)


@app.command()
def _infer(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, or folders of them.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="BUNDLE",
            help="Name in [models.*], a shipped bundle, or a folder. Default: the only one"
            " configured.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write results to DIR/STUDY-INSTANCE-UID/. Default: they are not kept.",
            show_default=False,
        ),
    ] = None,
    results: Annotated[
        list[ResultKind] | None,
        typer.Option(
            "--results",
            help="Kind of result; give it once for each. Default: report and capture.",
            show_default=False,
        ),
    ] = None,
    refusals: Annotated[
        bool,
        typer.Option(
            "--refusals", help="Also report on a study that is not analysable, with the reason."
        ),
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Analyse DICOM files study by study, as the node would; without network."""
    settings = read_config(config, verbose=verbose)
    studies, unreadable = group_studies(find_files(paths).files)
    if unreadable:
        _log.warning("files are no DICOM instances: left out", files=len(unreadable))
    context = result_context(settings, _installation(settings), datetime.fromtimestamp(0, UTC))
    options = Options(tuple(results or DEFAULT), context, out, refusals)
    classifier = load_model(settings, model)
    records = [study_record(classifier, study, options) for study in studies]
    rows = [row for record in records for row in _rows(record)]
    if as_json:
        show_records(records, _COLUMNS, as_json=True, nothing="")
    else:
        show_records(rows, _COLUMNS, as_json=False, nothing="no studies")
    faults = [record for record in records if record["fault"]]
    if faults:
        text = f"{len(faults)} of {len(records)} studies failed: {faults[0]['reason']}"
        raise StorageError(text) if faults[0]["fault"] == StorageError.code else RuntimeFailed(text)
    if not any(record["images"] for record in records):
        raise DataError(f"none of {len(records)} studies can be analysed: {records[0]['reason']}")
    failed = [record for record in records if record["failed"]]
    if failed:
        raise InvalidResult(
            f"results of {len(failed)} of {len(records)} studies cannot be made: "
            f"{failed[0]['reason']}"
        )


def load_model(config: Config, name: str | None) -> Classifier:
    """Load a model for the whole machine.

    Parameters
    ----------
    config
        Names models, runtime and trusted keys.
    name
        See `named_bundle`; None takes the only one configured.

    Raises
    ------
    ConfigError
        If nothing is named, and not exactly one model is configured.
    ModelError
        If it cannot be loaded.
    """
    if name is None:
        if len(config.models) != 1:
            known = ", ".join(config.models) or "none"
            raise ConfigError(f"which model? configured: {known}; choose with --model")
        name = next(iter(config.models))
    limit_malloc()
    return load_classifier(config, named_bundle(config, name)[1], os.cpu_count() or 1)


def _installation(config: Config) -> str:
    """Return the UID of the observer of the reports: the node installed here, if there is one."""
    spool = Spool(config.storage.spool, "")
    known = (spool.root / "site.key").is_file()
    return installation_uid(spool.secret() if known else b"")


def _rows(record: Record) -> list[Record]:
    """Return one row for each class; the values of the study are in the first row."""
    classes = record["classes"]
    assert isinstance(classes, list)  # noqa: S101 - see `_study`
    results = record["results"]
    assert isinstance(results, list)  # noqa: S101 - see `_study`
    images = f"{record['images']} of {record['images_total']}"
    more = {"class": "", "probability": "", "decision": "", "images": images}
    first = {**record, **more, "results": len(results)}
    if not classes:
        return [first]
    rest = dict.fromkeys(_COLUMNS)
    rows = [{**(rest if number else first), **one} for number, one in enumerate(classes)]
    return [{**row, "probability": fraction(row["probability"])} for row in rows]
