"""An archive with IHE IOCM: it hides what a rejection note refers to, and refuses it afterwards.

Own work after RAD TF-2 4.66 (Rejection Note Stored); over a real association.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

REASONS = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"
REFUSED = 0xC409
"""Cannot understand: what archives answer where a rejected instance comes again."""


@dataclass
class IocmArchive:
    """What it keeps, and what of it is rejected, by SOP Instance UID.

    ``before`` is called before an instance is taken. ``status`` is what every C-STORE is answered;
    only with 0x0000 an instance is taken.
    """

    port: int
    kept: dict[str, Dataset] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    notes: list[Dataset] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    status: int = 0x0000

    def take(self, event: evt.Event) -> int:
        self.before()
        if self.status != 0x0000:
            return self.status
        dataset = event.dataset
        uid = str(dataset.SOPInstanceUID)
        if uid in self.rejected:
            self.refused.append(uid)
            return REFUSED
        if dataset.SOPClassUID == KEY_OBJECT:
            title = dataset.ConceptNameCodeSequence[0]
            if (title.CodingSchemeDesignator, title.CodeValue) in (
                ("DCM", code) for code in REASONS
            ):
                return self._reject(dataset, title.CodeValue)
        self.kept[uid] = dataset
        return 0x0000

    def _reject(self, note: Dataset, code: str) -> int:
        """Reject what a note refers to, unless it refers to something that is not here."""
        named = {
            str(reference.ReferencedSOPInstanceUID): (
                str(study.StudyInstanceUID),
                str(series.SeriesInstanceUID),
            )
            for study in note.CurrentRequestedProcedureEvidenceSequence
            for series in study.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }
        for uid, (study, series) in named.items():
            here = self.kept.get(uid)
            if here is None or (here.StudyInstanceUID, here.SeriesInstanceUID) != (study, series):
                return 0xC000
        self.rejected |= dict.fromkeys(named, code)
        self.notes.append(note)
        return 0x0000

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer a C-FIND on the level of images with what is not rejected."""
        study = str(event.identifier.StudyInstanceUID)
        for uid in self.visible():
            if self.kept[uid].StudyInstanceUID == study:
                found = Dataset()
                found.QueryRetrieveLevel = "IMAGE"
                found.SOPInstanceUID = uid
                yield 0xFF00, found
        yield 0x0000, None

    def visible(self) -> list[str]:
        """SOP Instance UIDs that are not rejected."""
        return [uid for uid in self.kept if uid not in self.rejected]

    def asked(self, study_instance_uid: str) -> list[str]:
        """Ask it over the network which instances of a study it shows."""
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = study_instance_uid
        query.SOPInstanceUID = ""
        ae = AE("VIEWER")
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        association = ae.associate("127.0.0.1", self.port, ae_title="ARCHIVE")
        assert association.is_established
        answers = association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
        uids = [str(found.SOPInstanceUID) for _, found in answers if found is not None]
        association.release()
        return uids


@contextmanager
def iocm_archive(port: int) -> Iterator[IocmArchive]:
    """Run one on a port, with the AE title ``ARCHIVE``."""
    one = IocmArchive(port)
    ae = AE("ARCHIVE")
    ae.supported_contexts = list(AllStoragePresentationContexts)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_supported_context(Verification)
    server = ae.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, one.take), (evt.EVT_C_FIND, one.find)],
    )
    try:
        yield one
    finally:
        server.shutdown()
