"""A set of results as this node makes it, in memory: each test gets copies that it may spoil."""

import functools
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_ai.air.check import Finding, Outcome, check
from pacs_ai.air.files import read_folder
from pacs_ai.air.objects import Folder, Kind, ResultObject, SourceImage
from pacs_ai.air.rule import ObjectRule, SetRule
from pacs_ai.domain import ResultKind
from pacs_ai.results.build import build_results
from tests.unit.results.samples import CONTEXT, ct_slice, grey, image, save, study


class Spoiled:
    """The folder, with the objects by the kind that this node gave them."""

    def __init__(self) -> None:
        self.by_kind = {kind: dcmread(BytesIO(content)) for kind, content in _made().items()}
        self.images = [dcmread(BytesIO(content)) for content in _images()]
        self.kinds = {kind: _KINDS.get(kind, Kind.PICTURE) for kind in self.by_kind}

    def __getitem__(self, kind: ResultKind) -> Dataset:
        return self.by_kind[kind]

    def drop(self, *kinds: ResultKind) -> None:
        for kind in kinds:
            del self.by_kind[kind]

    def keep(self, *kinds: ResultKind) -> None:
        self.drop(*(kind for kind in list(self.by_kind) if kind not in kinds))

    def folder(self) -> Folder:
        objects = [
            ResultObject(kind, self.kinds[kind], dataset) for kind, dataset in self.by_kind.items()
        ]
        images = [SourceImage(f"image {n}", one) for n, one in enumerate(self.images, start=1)]
        return Folder(objects, images)

    def findings(self) -> list[Finding]:
        return check(self.folder())

    def breaks(self, rule: ObjectRule | SetRule) -> bool:
        """Ask one rule alone: all of them take long."""
        folder = self.folder()
        if isinstance(rule, ObjectRule):
            asked = [one for one in folder.objects if one.kind in rule.kinds]
            return any(rule.applies(one) and list(rule.check(one)) for one in asked)
        return any(rule.applies(found) and list(rule.check(found)) for found in folder.sets())

    def faulty(self) -> dict[str, Outcome]:
        """Names of the rules that are not kept, and what comes of each."""
        return {
            finding.rule.name: finding.outcome
            for finding in self.findings()
            if finding.outcome is not Outcome.RIGHT
        }


_KINDS = {
    ResultKind.REPORT: Kind.REPORT,
    ResultKind.REGION: Kind.REPORT,
    ResultKind.MAP: Kind.MAP,
    ResultKind.SEG: Kind.SEGMENTATION,
    ResultKind.LABEL_MAP: Kind.SEGMENTATION,
    ResultKind.KEY_OBJECT: Kind.KEY_OBJECTS,
    ResultKind.PDF: Kind.DOCUMENT,
}


def faults(paths: Sequence[Path]) -> list[str]:
    """What the check says of files: each rule that is not kept, with its faults."""
    folder = read_folder(paths)
    assert not folder.damaged
    return [
        f"{finding.outcome} {finding.path} {finding.rule.name}: {finding.faults}"
        for finding in check(folder)
        if finding.outcome is not Outcome.RIGHT
    ]


@functools.cache
def _images() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(_slice(Path(folder), number).read_bytes() for number in (1, 2))


@functools.cache
def _made() -> dict[ResultKind, bytes]:
    """One object of each kind, of a study of two images."""
    with tempfile.TemporaryDirectory() as folder:
        found = {1: (0.1, 0.9), 2: (0.8, 0.2)}
        seen = [image(_slice(Path(folder), number), found[number]) for number in found]
        kinds = [kind for kind in ResultKind if kind in (*_KINDS, ResultKind.CAPTURE)]
        made = list(build_results(study(seen), kinds, CONTEXT, grey))
    assert len(made) == len(kinds)
    return {one.kind: one.encode() for one in made}


def _slice(folder: Path, number: int) -> Path:
    return save(ct_slice(number, SyntheticData="YES"), folder / f"{number}.dcm")
