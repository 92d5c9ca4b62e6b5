"""What the standard asks of the objects this node makes: PS3.3 Annex A and C, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"

REPORTS = frozenset({BASIC_TEXT_SR, ENHANCED_SR, COMPREHENSIVE_SR, COMPREHENSIVE_3D_SR})
"""Classes that a report of ours may have at a destination."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Attributes an object must have: ``filled`` with a value (type 1), ``present`` (type 2)."""

    filled: frozenset[str]
    present: frozenset[str] = field(default_factory=frozenset)

    def __or__(self, other: "Requirements") -> "Requirements":
        """Join the demands of two modules."""
        return Requirements(self.filled | other.filled, self.present | other.present)


_COMMON = Requirements(
    filled=frozenset(
        {
            *("SOPClassUID", "SOPInstanceUID"),  # SOP Common, C.12.1
            *("StudyInstanceUID", "SeriesInstanceUID", "Modality"),
        }
    ),
    present=frozenset(
        {
            # Patient, C.7.1.1
            *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
            # General Study, C.7.2.1
            *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
            "SeriesNumber",  # General Series, C.7.3.1
            "Manufacturer",  # General Equipment, C.7.5.1
        }
    ),
)
_IMAGE = Requirements(
    # Image Pixel, C.7.6.3
    filled=frozenset(
        {
            *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelData"),
            *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
        }
    ),
    present=frozenset({"InstanceNumber"}),  # General Image, C.7.6.1
)
_CAPTURE = Requirements(filled=frozenset({"ConversionType"}))  # SC Equipment, C.8.6.1
_REPORT = Requirements(
    filled=frozenset(
        {
            *("SeriesNumber", "InstanceNumber", "CompletionFlag", "VerificationFlag"),
            *("ContentDate", "ContentTime"),  # SR Document General, C.17.2
            *("ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentSequence"),
        }
    ),
    present=frozenset(
        {"PerformedProcedureCodeSequence", "ReferencedPerformedProcedureStepSequence"}
    ),
)
_ENHANCED_EQUIPMENT = Requirements(  # C.7.5.2
    filled=frozenset(
        {"Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"}
    )
)

_FRAMES = Requirements(  # Multi-frame Functional Groups, C.7.6.16; Multi-frame Dimension, C.7.6.17
    filled=frozenset(
        {
            *("NumberOfFrames", "ContentDate", "ContentTime", "ContentLabel"),
            *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
            *("DimensionOrganizationSequence", "DimensionIndexSequence"),
            *("ImageType", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns"),
            *("BitsAllocated", "InstanceNumber", "LossyImageCompression"),
        }
    ),
    present=frozenset({"ContentDescription"}),
)
_MAP = Requirements(  # C.8.32, C.7.6.24
    filled=frozenset(
        {
            *("FloatPixelData", "FrameOfReferenceUID", "ContentQualification"),
            *("BurnedInAnnotation", "RecognizableVisualFeatures", "PresentationLUTShape"),
        }
    ),
    present=frozenset({"AcquisitionContextSequence", "PositionReferenceIndicator"}),
)
_SEGMENTS = Requirements(filled=frozenset({"SegmentationType", "SegmentSequence", "PixelData"}))
_SELECTION = Requirements(  # Key Object Document, C.17.6
    filled=frozenset(
        {
            *("SeriesNumber", "InstanceNumber", "ContentDate", "ContentTime"),
            *("ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentSequence"),
            "CurrentRequestedProcedureEvidenceSequence",
        }
    ),
    present=frozenset({"ReferencedPerformedProcedureStepSequence"}),
)
_DOCUMENT = Requirements(  # Encapsulated Document, C.24.2; SC Equipment, C.8.6.1
    filled=frozenset(
        {
            *("InstanceNumber", "BurnedInAnnotation", "ConversionType"),
            *("MIMETypeOfEncapsulatedDocument", "EncapsulatedDocument"),
        }
    ),
    present=frozenset(
        {"ContentDate", "ContentTime", "AcquisitionDateTime", "DocumentTitle"}
        | {"ConceptNameCodeSequence"}
    ),
)

REQUIREMENTS: Mapping[str, Requirements] = {
    SECONDARY_CAPTURE: _COMMON | _IMAGE | _CAPTURE,
    PARAMETRIC_MAP: _COMMON | _FRAMES | _MAP | _ENHANCED_EQUIPMENT,
    SEGMENTATION: _COMMON | _FRAMES | _SEGMENTS | _ENHANCED_EQUIPMENT,
    LABEL_MAP_SEGMENTATION: _COMMON | _FRAMES | _SEGMENTS | _ENHANCED_EQUIPMENT,
    KEY_OBJECT_SELECTION: _COMMON | _SELECTION,
    ENCAPSULATED_PDF: _COMMON | _DOCUMENT,
    BASIC_TEXT_SR: _COMMON | _REPORT,
    ENHANCED_SR: _COMMON | _REPORT,
    COMPREHENSIVE_SR: _COMMON | _REPORT,
    COMPREHENSIVE_3D_SR: _COMMON | _REPORT | _ENHANCED_EQUIPMENT,
}
"""By SOP class. Another class has to meet `COMMON` only."""

COMMON = _COMMON

CONTENT_VALUES: Mapping[str, tuple[str, ...]] = {
    "CODE": ("ConceptNameCodeSequence", "ConceptCodeSequence"),
    "CONTAINER": ("ContinuityOfContent",),
    "DATE": ("ConceptNameCodeSequence", "Date"),
    "DATETIME": ("ConceptNameCodeSequence", "DateTime"),
    "IMAGE": ("ReferencedSOPSequence",),
    "COMPOSITE": ("ReferencedSOPSequence",),
    "NUM": ("ConceptNameCodeSequence",),
    "PNAME": ("ConceptNameCodeSequence", "PersonName"),
    "SCOORD": ("GraphicType", "GraphicData"),
    "SCOORD3D": ("GraphicType", "GraphicData", "ReferencedFrameOfReferenceUID"),
    "TCOORD": ("TemporalRangeType",),
    "TEXT": ("ConceptNameCodeSequence", "TextValue"),
    "TIME": ("ConceptNameCodeSequence", "Time"),
    "UIDREF": ("ConceptNameCodeSequence", "UID"),
    "WAVEFORM": ("ReferencedSOPSequence",),
}
"""What a content item of each value type must have (PS3.3 Table C.17.3-7)."""

# Modules Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study
# (PS3.3 Sections C.7.1.1, C.7.1.3, C.7.2.1-3), with retired attributes that archives still match.
_PATIENT = """
ReferencedPatientSequence PatientName PatientID IssuerOfPatientID TypeOfPatientID
IssuerOfPatientIDQualifiersSequence SourcePatientGroupIdentificationSequence
GroupOfPatientsIdentificationSequence PatientBirthDate PatientBirthTime
PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar
PatientAlternativeCalendar PatientSex QualityControlSubject StrainDescription
StrainNomenclature StrainStockSequence StrainAdditionalInformation StrainCodeSequence
GeneticModificationsSequence OtherPatientIDs OtherPatientNames OtherPatientIDsSequence
ReferencedPatientPhotoSequence EthnicGroup EthnicGroupCodeSequence PatientSpeciesDescription
PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence
BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization
PatientComments PatientIdentityRemoved DeidentificationMethod
DeidentificationMethodCodeSequence
"""
_TRIAL_SUBJECT = """
ClinicalTrialSponsorName ClinicalTrialProtocolID
ClinicalTrialProtocolName IssuerOfClinicalTrialProtocolID
OtherClinicalTrialProtocolIDsSequence ClinicalTrialSiteID ClinicalTrialSiteName
IssuerOfClinicalTrialSiteID ClinicalTrialSubjectID IssuerOfClinicalTrialSubjectID
ClinicalTrialSubjectReadingID IssuerOfClinicalTrialSubjectReadingID
ClinicalTrialProtocolEthicsCommitteeName
ClinicalTrialProtocolEthicsCommitteeApprovalNumber
"""
_STUDY = """
StudyInstanceUID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence
ReferringPhysicianName ReferringPhysicianIdentificationSequence ConsultingPhysicianName
ConsultingPhysicianIdentificationSequence StudyDescription ProcedureCodeSequence
PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
PhysiciansReadingStudyIdentificationSequence ReferencedStudySequence StudyID
RequestingService RequestingServiceCodeSequence ReasonForPerformedProcedureCodeSequence
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize
PatientSizeCodeSequence PatientBodyMassIndex MeasuredAPDimension MeasuredLateralDimension
PatientWeight MedicalAlerts Allergies Occupation SmokingStatus AdditionalPatientHistory
PregnancyStatus LastMenstrualDate PatientSexNeutered ReasonForVisit
ReasonForVisitCodeSequence AdmissionID IssuerOfAdmissionIDSequence ServiceEpisodeID
ServiceEpisodeDescription IssuerOfServiceEpisodeIDSequence PatientState
ClinicalTrialTimePointID ClinicalTrialTimePointDescription
LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType
ClinicalTrialTimePointTypeCodeSequence IssuerOfClinicalTrialTimePointID
ConsentForClinicalTrialUseSequence
"""
TRIAL_SUBJECT: tuple[str, ...] = tuple(_TRIAL_SUBJECT.split())
"""Clinical Trial Subject Module, PS3.3 Section C.7.1.3."""

PATIENT_AND_STUDY: tuple[str, ...] = (*_PATIENT.split(), *TRIAL_SUBJECT, *_STUDY.split())
"""What a result takes over to belong to the patient and study of its source."""
