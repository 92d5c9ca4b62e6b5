"""Coded concepts of the results, and the rules of the private coding scheme.

PS3.16; the class codes themselves come with the bundle.
"""

import hashlib
from collections.abc import Mapping

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from pacs_ai.domain import ClassSpec, Code, Decision, ResultKind
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.withdrawal_kinds import RejectionReason

SCHEME = "99PACSAI"
MAX_VALUE = 16
MAX_MEANING = 64

TITLE = CodedConcept("126000", "DCM", "Imaging Measurement Report")
IMAGING_MEASUREMENTS = CodedConcept("126010", "DCM", "Imaging Measurements")
IMAGE_LIBRARY = CodedConcept("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = CodedConcept("126200", "DCM", "Image Library Group")
ARTIFICIAL_INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")
PROCESSING_EQUIPMENT = CodedConcept("109102", "DCM", "Processing Equipment")
SOURCE_IMAGE = CodedConcept("121322", "DCM", "Source image for image processing operation")
DEVICE = CodedConcept("121007", "DCM", "Device")
LANGUAGE = CodedConcept("en-US", "RFC5646", "English (United States)")
PROCEDURE_REPORTED = CodedConcept("121058", "DCM", "Procedure Reported")
SOURCE = CodedConcept("260753009", "SCT", "Source")
OF_INTEREST = CodedConcept("113000", "DCM", "Of Interest")
REJECTED: Mapping[RejectionReason, CodedConcept] = {
    RejectionReason.QUALITY: CodedConcept("113001", "DCM", "Rejected for Quality Reasons"),
    RejectionReason.PATIENT_SAFETY: CodedConcept(
        "113037", "DCM", "Rejected for Patient Safety Reasons"
    ),
    RejectionReason.WORKLIST: CodedConcept("113038", "DCM", "Incorrect Modality Worklist Entry"),
    RejectionReason.RETENTION: CodedConcept("113039", "DCM", "Data Retention Policy Expired"),
}
"""Titles of rejection notes: those of CID 7010 that IHE IOCM knows."""
KEY_OBJECT_DESCRIPTION = CodedConcept("113012", "DCM", "Key Object Description")
REPORT_TITLE = CodedConcept("18748-4", "LN", "Diagnostic Imaging Report")
RELATED_RESULTS = CodedConcept("RELATED", SCHEME, "Related results")
RENDERING = CodedConcept("121333", "DCM", "Partial Rendering for Presentation")
BEST_ILLUSTRATION = CodedConcept("121080", "DCM", "Best illustration of finding")
SEGMENTATION_RESULT = CodedConcept("128182", "DCM", "Segmentation Result")
TRACKING_IDENTIFIER = CodedConcept("112039", "DCM", "Tracking Identifier")
TRACKING_UID = CodedConcept("112040", "DCM", "Tracking Unique Identifier")
FINDINGS = CodedConcept("121070", "DCM", "Findings")
FINDING = CodedConcept("121071", "DCM", "Finding")
IMAGE_REGION = CodedConcept("111030", "DCM", "Image Region")
LABEL_POSITION = CodedConcept("LABELPOS", SCHEME, "Position of the label, no location")
QUALITATIVE_EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
COMMENT = CodedConcept("121106", "DCM", "Comment")
CHANGE = CodedConcept("111021", "DCM", "Description of Change")
PRIOR_REPORT = CodedConcept("122075", "DCM", "Prior report for current patient")
CONCLUSIONS = CodedConcept("121076", "DCM", "Conclusions")
CONCLUSION = CodedConcept("121077", "DCM", "Conclusion")
CLASS_ACTIVATION = CodedConcept("130403", "DCM", "Gradient-weighted class activation")
MAP_DERIVATION = CodedConcept("112187", "DCM", "Unspecified method of calculation")
SEGMENTATION_DERIVATION = CodedConcept("113076", "DCM", "Segmentation")
BACKGROUND = CodedConcept("125040", "DCM", "Background")
ABNORMAL_STRUCTURE = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
RESULT_NAMES: Mapping[ResultKind, CodedConcept] = {
    ResultKind.REPORT: TITLE,
    ResultKind.CAPTURE: BEST_ILLUSTRATION,
    ResultKind.SIDE_BY_SIDE: BEST_ILLUSTRATION,
    ResultKind.CONTACT_SHEET: BEST_ILLUSTRATION,
    ResultKind.STACK: BEST_ILLUSTRATION,
    ResultKind.MAP: CLASS_ACTIVATION,
    ResultKind.SEG: SEGMENTATION_RESULT,
    ResultKind.LABEL_MAP: SEGMENTATION_RESULT,
    ResultKind.REGION: TITLE,
    ResultKind.KEY_OBJECT: OF_INTEREST,
    ResultKind.PDF: REPORT_TITLE,
}
"""What results are called where other results refer to them."""
PRESENCE = CodedConcept("121052", "DCM", "Presence of property")
PRESENT = CodedConcept("121053", "DCM", "Present")
ABSENT = CodedConcept("121054", "DCM", "Absent")
UNDETERMINED = CodedConcept("121059", "DCM", "Presence Undetermined")
DECISIONS = {
    Decision.PRESENT: PRESENT,
    Decision.ABSENT: ABSENT,
    Decision.UNDETERMINED: UNDETERMINED,
}
NO_UNITS = CodedConcept("1", "UCUM", "no units")
ASSESSMENT = CodedConcept("AIASSESSMENT", SCHEME, "Assessment of AI result")
ASSESSMENTS = {
    FeedbackKind.ACCEPT: CodedConcept("ACCEPTED", SCHEME, "AI result accepted"),
    FeedbackKind.MODIFY: CodedConcept("MODIFIED", SCHEME, "AI result accepted with changes"),
    FeedbackKind.REJECT: CodedConcept("REJECTED", SCHEME, "AI result rejected"),
}
"""Read, not written: what somebody says of a result in a report that comes back."""
_LETTERS: Mapping[Decision | None, str] = {Decision.PRESENT: "F", Decision.UNDETERMINED: "U"}
_MARKS: Mapping[Decision | None, str] = {
    Decision.PRESENT: "FOUND - ",
    Decision.UNDETERMINED: "UNDETERMINED - ",
}

PERCENT = CodedConcept("%", "UCUM", "Percent")
PIXELS = CodedConcept("{pixels}", "UCUM", "Pixels")
AI_PROCEDURE = CodedConcept("AICLS", SCHEME, "AI image classification")

_MODALITIES: Mapping[str, str] = {
    code.value: code.meaning for code in (getattr(codes.cid29, name) for name in codes.cid29.dir())
}
MODALITY_UNKNOWN = "OT"

# All of CID 100, which has nothing for radiography or ultrasound in editions that validators know.
_PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "NM": Code("49118-3", "LN", "NM unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
}
_OTHER_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")


def concept(code: Code) -> CodedConcept:
    """Turn a code into an item of a code sequence; a meaning too long for it is cut."""
    return CodedConcept(code.value, code.scheme, code.meaning[:MAX_MEANING])


def stated(code: CodedConcept) -> str:
    """Write a code as the standard does: (value, scheme, "meaning")."""
    return f'({code.value}, {code.scheme_designator}, "{code.meaning}")'


def class_title(spec: ClassSpec) -> str:
    """Name of a class as it is shown, with a capital letter."""
    return spec.name[:1].upper() + spec.name[1:]


def modality_code(modality: str) -> CodedConcept | None:
    """Code of an acquisition modality; None for what CID 29 does not have, as OT."""
    meaning = _MODALITIES.get(modality)
    return None if meaning is None else CodedConcept(modality, "DCM", meaning)


def procedure_code(modality: str) -> CodedConcept:
    """Code of the procedure reported, as far as the modality tells.

    Notes
    -----
    Row 4 of TID 1500 draws on CID 100, and validators refuse any other code, such as most
    sources have: theirs stands, untouched, in Procedure Code Sequence of every result.
    """
    return concept(_PROCEDURES.get(modality, _OTHER_PROCEDURE))


def probability_concept(
    spec: ClassSpec, *, study: bool, decision: Decision | None = None
) -> CodedConcept:
    """Name of a class' probability, which a viewer shows beside the value.

    Parameters
    ----------
    spec
        The class.
    study
        Of the whole study rather than of one image.
    decision
        What the probability means: a finding is to be told from what is absent at a glance, and a
        viewer shows this name alone. It has a code of its own, too.

    Notes
    -----
    (122157, DCM, Probability) would say neither which class nor which level it is about.
    """
    prefix = f"{'S' if study else 'P'}{_LETTERS.get(decision, '')}_"
    ending = " probability, study" if study else " probability"
    return _of_class(spec, prefix, _MARKS.get(decision, ""), ending)


def image_probability_concept(spec: ClassSpec) -> CodedConcept:
    """Name of a class' probability on an image where it stands beside a region of this image.

    Notes
    -----
    The model does not say how probable the class is in the region: a viewer that writes the number
    beside the outline must not let it look so.
    """
    return _of_class(spec, "I_", "", " probability of whole image")


def _of_class(spec: ClassSpec, prefix: str, beginning: str, ending: str) -> CodedConcept:
    """Make a private concept whose code ends with that of the class, or with a digest of it."""
    value = prefix + spec.code.value
    if len(value) > MAX_VALUE:
        digest = hashlib.sha256(spec.code.value.encode()).hexdigest()
        value = prefix + digest[: MAX_VALUE - len(prefix)]
    room = MAX_MEANING - len(beginning) - len(ending)
    return CodedConcept(value, SCHEME, beginning + class_title(spec)[:room] + ending)
