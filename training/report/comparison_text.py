"""The result of ``pacs-ai compare`` as text."""

from collections.abc import Iterator
from typing import Any

from pacs_ai.pages.figures import NAMES, span, value
from training.report.tables import plural
from training.report.text_table import text_table

_DASH = "-"
_SMALLEST_P = 0.001


def comparison_text(found: dict[str, Any]) -> str:
    """Format the table of runs, and each comparison with a sentence for each figure."""
    columns = [name for name in found["runs"][0] if name in NAMES]
    head = ["run", "recipe", "backbone", "images", *(NAMES[name] for name in columns), "by", "MiB"]
    rows = [
        [
            row["run"],
            row["recipe"],
            row["backbone"],
            str(row["images"]),
            *(_DASH if row[name] is None else f"{row[name]:.3f}" for name in columns),
            row["unit"],
            f"{row['mebibytes']:g}",
            row["date"],
        ]
        for row in found["runs"]
    ]
    parts = [text_table([[*head, "started"], *rows])]
    for each in found["comparisons"]:
        parts += _comparison(each, found["reference"], found["resamples"])
    if len(found["comparisons"]) > 1:
        parts.append(
            f"{len(found['comparisons'])} runs were compared with one: the intervals and p are not "
            "adjusted for that."
        )
    return "\n\n".join(parts)


def _comparison(each: dict[str, Any], reference: str, resamples: int) -> Iterator[str]:
    for unit, found in each["units"].items():
        rows = [["", reference, each["run"], "difference", "95 % interval", "p", ""]]
        rows += [_row(NAMES[name], figure) for name, figure in found["figures"].items()]
        rows += [_row(f"AUC, {name}", figure) for name, figure in found["auc_by_class"].items()]
        yield (
            f"{each['run']} compared with {reference}, {found['cases']} {plural(unit)} of "
            f"{found['patients']} patients\n{text_table(rows)}"
        )
    yield (
        f"Differences are {each['run']} minus {reference}. Intervals: of the AUC of a class by "
        f"DeLong, of the others by drawing patients {resamples} times, the same for both runs."
    )


def _row(name: str, figure: dict[str, Any]) -> list[str]:
    gain, p = figure["difference"], figure.get("p")
    verdict = {
        True: "covers 0: no difference is shown",
        False: "does not cover 0",
        None: "",
    }[figure["covers_0"]]
    small = p is not None and p < _SMALLEST_P
    return [
        name,
        *(
            _DASH if figure[side] is None else f"{figure[side]:.3f}"
            for side in ("reference", "run")
        ),
        value(gain, sign=True),
        span(gain, sign=True),
        "" if p is None else f"< {_SMALLEST_P:g}" if small else f"{p:.3f}",
        verdict,
    ]
