"""Structured reports as a reading station sends them, about results of a node."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, generate_uid

from pacs_ai.feedback_kinds import FeedbackKind

COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
PRESENCE = {
    "present": ("121053", "DCM", "Present"),
    "absent": ("121054", "DCM", "Absent"),
    "uncertain": ("121059", "DCM", "Presence Undetermined"),
}
KINDS = {
    FeedbackKind.ACCEPT: ("ACCEPTED", "99PACSAI", "AI result accepted"),
    FeedbackKind.MODIFY: ("MODIFIED", "99PACSAI", "AI result accepted with changes"),
    FeedbackKind.REJECT: ("REJECTED", "99PACSAI", "AI result rejected"),
}
ASSESSMENT = ("AIASSESSMENT", "99PACSAI", "Assessment of AI result")


@dataclass
class Group:
    """A measurement group about one finding."""

    code: tuple[str, str]
    kind: FeedbackKind | None = None
    presence: str = ""
    refers_to: Sequence[str] = ()


@dataclass
class Report:
    """What a structured report says; `dataset` makes it."""

    study: Dataset
    composites: Sequence[str] = ()
    predecessors: Sequence[str] = ()
    evidence: Sequence[str] = ()
    kind: FeedbackKind | None = None
    groups: Sequence[Group] = ()
    observer: str = "Reader^Ann"
    uid: str = field(default_factory=generate_uid)

    def dataset(self) -> Dataset:
        """Make it, in the study and of the patient of an image."""
        made = Dataset()
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
            setattr(made, keyword, self.study.get(keyword, ""))
        made.StudyInstanceUID = self.study.StudyInstanceUID
        made.AccessionNumber = self.study.get("AccessionNumber", "")
        made.SOPClassUID = ComprehensiveSRStorage
        made.SOPInstanceUID = self.uid
        made.SeriesInstanceUID = generate_uid()
        made.Modality, made.Manufacturer = "SR", "Reading Station"
        made.SeriesNumber = made.InstanceNumber = 1
        made.ContentDate, made.ContentTime = "20260102", "030405"
        made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
        made.update(_container(("126000", "DCM", "Imaging Measurement Report")))
        del made.RelationshipType  # the root has none
        made.ContentTemplateSequence = [_template("1500")]
        made.ContentSequence = list(self._content())
        if self.predecessors:
            made.PredecessorDocumentsSequence = [self._listed(self.predecessors)]
        if self.evidence:
            made.CurrentRequestedProcedureEvidenceSequence = [self._listed(self.evidence)]
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        return made

    def _content(self) -> list[Dataset]:
        content = []
        if self.observer:
            name = _item("PNAME", ("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT")
            name.PersonName = self.observer
            content.append(name)
        content += [_composite(uid) for uid in self.composites]
        measurements = _container(("126010", "DCM", "Imaging Measurements"))
        measurements.ContentSequence = [_group(one) for one in self.groups]
        evaluations = _container(("C0034375", "UMLS", "Qualitative Evaluations"))
        if self.kind is not None:
            evaluations.ContentSequence = [_coded(ASSESSMENT, KINDS[self.kind])]
        return [*content, measurements, evaluations]

    def _listed(self, uids: Sequence[str]) -> Dataset:
        study, series = Dataset(), Dataset()
        series.SeriesInstanceUID = generate_uid()
        series.ReferencedSOPSequence = [_reference(uid) for uid in uids]
        study.StudyInstanceUID = self.study.StudyInstanceUID
        study.ReferencedSeriesSequence = [series]
        return study


def _group(group: Group) -> Dataset:
    made = _container(("125007", "DCM", "Measurement Group"))
    made.ContentSequence = [_coded(("121071", "DCM", "Finding"), (*group.code, "what it is"))]
    made.ContentSequence += [_composite(uid) for uid in group.refers_to]
    if group.kind is not None:
        made.ContentSequence.append(_coded(ASSESSMENT, KINDS[group.kind]))
    if group.presence:
        name = ("121052", "DCM", "Presence of property")
        made.ContentSequence.append(_coded(name, PRESENCE[group.presence]))
    return made


def _container(name: tuple[str, str, str]) -> Dataset:
    made = _item("CONTAINER", name)
    made.ContinuityOfContent = "SEPARATE"
    return made


def _item(kind: str, name: tuple[str, str, str], relation: str = "CONTAINS") -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relation, kind
    made.ConceptNameCodeSequence = [_code(name)]
    return made


def _coded(name: tuple[str, str, str], value: tuple[str, str, str]) -> Dataset:
    made = _item("CODE", name)
    made.ConceptCodeSequence = [_code(value)]
    return made


def _composite(uid: str) -> Dataset:
    made = _item("COMPOSITE", ("126100", "DCM", "Reference"))
    made.ReferencedSOPSequence = [_reference(uid)]
    return made


def _reference(uid: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = COMPREHENSIVE_3D, uid
    return made


def _code(code: tuple[str, str, str]) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code
    return made


def _template(identifier: str) -> Dataset:
    made = Dataset()
    made.MappingResource, made.TemplateIdentifier = "DCMR", identifier
    return made
