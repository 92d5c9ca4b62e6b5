"""``pacs-ai evidence``: what was made of a study, as one archive that can be checked."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import HELP_OPTIONS, AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.errors import Corrupted
from pacs_ai.flow.operate import evidence as operate

_WRITE, _VERIFY = "write", "verify"


class _WriteUnlessVerify(TyperGroup):
    """``pacs-ai evidence STUDY`` is ``pacs-ai evidence write STUDY``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of Typer's own click
        """Put the name of the command before a study."""
        if args and args[0] not in (_WRITE, _VERIFY, *HELP_OPTIONS):
            args = [_WRITE, *args]
        return super().parse_args(ctx, args)


app = group("Evidence of a study: STUDY writes one archive, verify checks it.", _WriteUnlessVerify)


@app.command(_WRITE)
@with_node
def write(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help="Row id, Study Instance UID, or reference of the log."
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The archive. Default: evidence-STUDY.zip.",
            show_default=False,
        ),
    ] = None,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Put the images into the archive, too.")
    ] = False,
    node_to_open: NodeToOpen,
) -> None:
    """Write the evidence of a study: hashes of the images, model, settings, results, deliveries.

    The archive names the patient, as the results do: keep it as you keep images. "write" may be
    left out.
    """
    with node_to_open as node:
        path = output or Path(f"evidence-{study}.zip")
        print(operate.save_evidence(node, study, path, images=with_images))


@app.command(_VERIFY)
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive.")],
    *,
    sources: Annotated[
        Path | None,
        typer.Option(
            "--sources",
            metavar="DIR",
            help="Folder with the images. Default: those in the archive.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="BUNDLE",
            help="Folder of the bundle, if the configuration does not name it.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Check an archive, and make its results again, byte for byte; exit code 1 if they differ."""
    settings = read_config(config, verbose=verbose)
    checks = operate.verify_evidence(settings, file, sources, model)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            print(f"{'ok' if check.ok else 'NOT OK'}: {check.name}: {check.said}")
    failed = [f"{check.name}: {check.said}" for check in checks if not check.ok]
    if failed:
        raise Corrupted(f"{file}: {'; '.join(failed)}")
