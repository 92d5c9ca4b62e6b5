"""An archive that is spoken to by DICOMweb, with small studies and a script of what goes wrong."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.net.http.multipart import written
from tests.web_peer import Answer, Asked, web_peer

_KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
_STUDY = re.compile(r"/studies/([0-9.]+)(/series)?$")


def ct(study: str, **values: object) -> Dataset:
    """Make a CT image of a study; its other UIDs are derived from that of the study."""
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    image.StudyInstanceUID, image.SeriesInstanceUID = study, f"{study}.1"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.1"
    for keyword, value in values.items():
        setattr(image, keyword, value)
    return image


@dataclass
class ScriptedArchive:
    """The studies by UID; ``asked`` counts the requests for each.

    ``script`` may answer the request with a number in place of the archive: None lets it answer.
    """

    images: Mapping[str, Dataset]
    script: Callable[[str, int], Answer | None] = lambda _study, _number: None
    asked: Counter[str] = field(default_factory=Counter)
    searches: list[str] = field(default_factory=list)

    def respond(self, asked: Asked) -> Answer:
        """Search, or send a study."""
        where = urlsplit(asked.path)
        found = _STUDY.search(where.path)
        if found is None or found[2]:
            self.searches.append(where.query)
            return self._matches(parse_qs(where.query), None if found is None else found[1])
        study = found[1]
        self.asked[study] += 1
        said = self.script(study, self.asked[study])
        if said is not None:
            return said
        if study not in self.images:
            return Answer(404)
        content = BytesIO()
        self.images[study].save_as(content)
        return whole(content.getvalue())

    def _matches(self, query: Mapping[str, list[str]], study: str | None) -> Answer:
        if "offset" in query:
            return Answer(204)
        wanted = [one for one in self.images.values() if study in (None, one.StudyInstanceUID)]
        if study is None:
            patient = query.get("PatientID", [""])[0]
            first, _, last = query.get("StudyDate", ["-99999999"])[0].partition("-")
            wanted = [
                one
                for one in wanted
                if patient in ("", one.PatientID) and first <= one.StudyDate <= last
            ]
        return Answer.of_json([_described(one) for one in wanted])


def _described(image: Dataset) -> dict[str, object]:
    said = Dataset()
    for element in image:
        if element.VR not in ("SQ", "OW", "UN") and element.tag.group < 0x0030:
            said.add(element)
    said.ModalitiesInStudy = image.Modality
    described: dict[str, object] = said.to_json_dict()
    return described


def whole(file: bytes) -> Answer:
    """Answer with one file."""
    return Answer(200, b"".join(written([("application/dicom", [file])], "b")), _KIND)


@contextmanager
def scripted_archive(archive: ScriptedArchive) -> Iterator[str]:
    """Run an archive; yields the root of its services."""
    with web_peer(archive.respond) as peer:
        yield peer.url
