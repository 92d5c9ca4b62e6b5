"""A report as text that a person reads; without the patient's name and id."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, numbers, text

_TRACKING = "112039"
_FINDING = "121071"
_PRESENCE = "121052"
_PARAMETERS = "111002"
_GROUP = "125007"
_LIBRARY = "111028"
_NAME = "111001"
_VERSION = "111003"
_MANUFACTURER = "122405"
_SHORT_HASH = 12


def render_text(dataset: Dataset) -> str:
    """Write a report of ours as text.

    Parameters
    ----------
    dataset
        A structured report made by `pacs_ai.results.sr`.

    Returns
    -------
    str
        Lines: title, study, model, then for the study and each reported image the classes with
        probability, decision and operating point. No patient's name, id or accession number.
    """
    groups = [item for item in _walk(dataset) if _concept(item) == _GROUP]
    lines = [_title(dataset), ""]
    lines += [f"{name:<12} {value}" for name, value in _facts(dataset, groups) if value]
    level = ""
    for group in groups:
        found = {_concept(item): item for item in items(group, "ContentSequence")}
        heading = _level(found)
        if heading != level:
            lines += ["", heading]
            level = heading
        lines.append(_finding(group, found))
    return "\n".join(lines) + "\n"


def _title(dataset: Dataset) -> str:
    title = _meaning(dataset, "ConceptNameCodeSequence")
    if text(dataset, "ContentQualification") == "RESEARCH":
        title += " - AI RESEARCH - NOT FOR CLINICAL USE"
    return title


def _facts(dataset: Dataset, groups: list[Dataset]) -> Iterator[tuple[str, str]]:
    study = " ".join(text(dataset, keyword) for keyword in ("StudyDate", "StudyDescription"))
    yield "Study", study.strip()
    yield "Study UID", text(dataset, "StudyInstanceUID")
    analysed = sum(
        item.get("ValueType") == "IMAGE"
        for library in _walk(dataset)
        if _concept(library) == _LIBRARY
        for item in _walk(library)
    )
    yield "Analysed", f"{analysed} instance{'s' * (analysed != 1)}"
    if groups:
        found = {_concept(item): item for item in items(groups[0], "ContentSequence")}
        name, version, maker = (
            text(found.get(concept, Dataset()), "TextValue")
            for concept in (_NAME, _VERSION, _MANUFACTURER)
        )
        weights = _parameter(groups[0], "weights-sha256")[:_SHORT_HASH]
        yield "Model", f"{name} {version} by {maker}, weights {weights}"
        yield "Aggregation", _parameter(groups[0], "aggregation") if analysed > 1 else ""
    status = ("CompletionFlag", "PreliminaryFlag", "VerificationFlag")
    yield "Status", ", ".join(text(dataset, keyword) for keyword in status).lower()
    yield "Made", _moment(dataset)


def _moment(dataset: Dataset) -> str:
    date, time = text(dataset, "ContentDate"), text(dataset, "ContentTime")
    zone = text(dataset, "TimezoneOffsetFromUTC")
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {time[:2]}:{time[2:4]}:{time[4:6]} {zone}".strip()


def _level(found: dict[str, Dataset]) -> str:
    tracking = text(found.get(_TRACKING, Dataset()), "TextValue")
    name = tracking.rpartition(" / ")[2].partition(":")[0]
    return name[:1].upper() + name[1:]


def _finding(group: Dataset, found: dict[str, Dataset]) -> str:
    name = _meaning(found.get(_FINDING, Dataset()), "ConceptCodeSequence")
    percent = 0.0
    for item in items(group, "ContentSequence"):
        for value in items(item, "MeasuredValueSequence"):
            percent = numbers(value, "NumericValue")[0]
    line = f"  {name:<32}{percent:7.2f} %"
    decision = _meaning(found.get(_PRESENCE, Dataset()), "ConceptCodeSequence").lower()
    if not decision:
        return line
    return f"{line}  {decision} (threshold {100 * float(_parameter(group, 'threshold')):g} %)"


def _parameter(group: Dataset, name: str) -> str:
    for item in items(group, "ContentSequence"):
        key, _, value = text(item, "TextValue").partition("=")
        if _concept(item) == _PARAMETERS and key == name:
            return value
    return ""


def _walk(dataset: Dataset) -> Iterator[Dataset]:
    for item in items(dataset, "ContentSequence"):
        yield item
        yield from _walk(item)


def _concept(item: Dataset) -> str:
    for code in items(item, "ConceptNameCodeSequence"):
        return text(code, "CodeValue")
    return ""


def _meaning(item: Dataset, keyword: str) -> str:
    for code in items(item, keyword):
        return text(code, "CodeMeaning")
    return ""
