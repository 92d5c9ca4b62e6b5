"""The trees in docs/results.md, made from objects that the code makes now.

``python -m tests.docs.results_page`` writes them into the page.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind
from pacs_ai.results.build import BuiltResult, build_refusals, build_results
from tests.unit.results.samples import CONTEXT, ct_slice, grey, image, refusal, save, study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"
MARK = re.compile(r"<!-- tree: (?P<name>[a-z -]+) -->\n```text\n(?P<tree>.*?)```\n", re.S)


def trees() -> dict[str, str]:
    """Return the content tree of each kind of structured report, of one positive CT slice."""
    with tempfile.TemporaryDirectory() as folder:
        path = save(ct_slice(), Path(folder) / "1.dcm")
        seen = [image(path, (0.07, 0.93))]
        kinds = [ResultKind.REPORT, ResultKind.REGION, ResultKind.KEY_OBJECT]
        made = [
            *build_results(study(seen), kinds, CONTEXT, grey),
            *build_refusals(refusal(seen), [ResultKind.REPORT], CONTEXT),
        ]
        names = ["region", "key object", "report", "not analysable"]
        return {
            name: "".join(f"{line}\n" for line in tree(_shown(name, one.dataset)))
            for name, one in zip(names, made, strict=True)
            if isinstance(one, BuiltResult)
        }


def _shown(name: str, made: Dataset) -> Dataset:
    """Of the regions only what differs from the report: the measurements."""
    item: Dataset = made.ContentSequence[-1] if name == "region" else made
    return item


def tree(item: Dataset, depth: int = 0) -> Iterator[str]:
    """Write a content item and what is below it, a line each."""
    yield "  " * depth + " ".join(part for part in (_name(item), _value(item)) if part)
    groups = 0
    for child in item.get("ContentSequence", []):
        groups += _is_group(child)
        if groups > 1:
            yield "  " * (depth + 1) + "... and a group for each other class, image and level"
            return
        yield from tree(child, depth + 1)


def _is_group(item: Dataset) -> bool:
    names = item.get("ConceptNameCodeSequence")
    return bool(names) and names[0].CodeValue == "125007"


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return f"{item.ValueType} {_code(names[0])}" if names else str(item.ValueType)


def _value(item: Dataset) -> str:
    if item.ValueType == "CODE":
        return f"= {_code(item.ConceptCodeSequence[0])}"
    if item.ValueType == "NUM":
        [measured] = item.MeasuredValueSequence
        return f"= {measured.NumericValue} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
    if item.ValueType == "TEXT":
        text = str(item.TextValue)
        return f'= "{text[:40]}{"..." if len(text) > 40 else ""}"'
    return f"= {item.GraphicType}" if item.ValueType == "SCOORD" else ""


def _code(item: Dataset) -> str:
    return f"({item.CodeValue}, {item.CodingSchemeDesignator}, {item.CodeMeaning})"


def renewed(page: str) -> str:
    """Return the page with its trees as they are now."""
    now = trees()

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- tree: {name} -->\n```text\n{now[name]}```\n"

    return MARK.sub(put, page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
