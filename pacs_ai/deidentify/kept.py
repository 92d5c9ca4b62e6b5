"""What a de-identified copy has: nothing that is not in these lists.

The tables of PS3.15 name what has to go, and a data set may hold anything besides: elements of
later editions, descriptions in elements that no table lists, names in a wrong VR. So these lists
name what stays: what an image needs to be read, shown, placed in space, and chosen by a rule. Of
texts only known terms stay. `pacs_ai.deidentify.profile` goes before these lists.
"""

from collections.abc import Mapping

UIDS = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "DimensionOrganizationUID",
)
"""Replaced by others, the same for the same."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FRAME_TYPE = _words(
    "ORIGINAL DERIVED MIXED PRIMARY SECONDARY AXIAL LOCALIZER OTHER VOLUME RESAMPLED NONE M P R I"
    " M_FFE P_FFE M_SE P_SE FFE SE IR DIFFUSION ADC FA T1 T2 REFORMATTED MPR MIP MINIP PROJECTION"
    " IMAGE MAX_IP MIN_IP MEAN_IP SUBTRACTION AVERAGE PERFUSION CT_SOM5 NORM DIS2D"
    " DIS3D SPI SINGLE PLANE BIPLANE A B"
)
_SIDES = frozenset(("R", "L", "U", "B"))
_YES_NO = frozenset(("YES", "NO"))
_UNITS = _words("HU US OD PCT HU_MOD MGML ED Z_EFF")

TERMS: Mapping[str, frozenset[str]] = {
    "Modality": _words(
        "BMD CR CT DX ECG EEG ES GM IO IVOCT IVUS MG MR NM OCT OP OPT OT PT PX RF RG SC SM TG US"
        " XA XC"
    ),
    "ImageType": _FRAME_TYPE,
    "FrameType": _FRAME_TYPE,
    "PatientPosition": frozenset(
        f"{first}{last}" for first in ("HF", "FF") for last in ("P", "S", "DR", "DL")
    ),
    "PatientOrientation": frozenset(
        f"{first}{second}{third}"
        for first in "APRLHF"
        for second in ("", *"APRLHF")
        for third in ("", *"APRLHF")
    ),
    "Laterality": _SIDES,
    "ImageLaterality": _SIDES,
    "FrameLaterality": _SIDES,
    "BodyPartExamined": _words(
        "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS"
        " BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN"
        " CHESTABDPELVIS CLAVICLE COCCYX COLON CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS"
        " EXTREMITY EYE FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP"
        " HUMERUS JAW KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG MAXILLA MEDIASTINUM MOUTH"
        " NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID"
        " PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM RIB SCALP SCAPULA SCROTUM"
        " SHOULDER SKULL SPINE SPLEEN SSPINE STERNUM STOMACH TESTIS THIGH THORAX THUMB THYMUS"
        " THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA URETER URETHRA"
        " UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA"
    ),
    "ViewPosition": _words(
        "AP PA LL RL LAT RLD LLD RLO LLO RAO LAO RPO LPO CC MLO ML LM LMO XCC XCCL XCCM FB SIO"
        " ISO CV AT TAN"
    ),
    "PixelIntensityRelationship": _words("LIN LOG DISP OTHER"),
    "PresentationLUTShape": frozenset(("IDENTITY", "INVERSE")),
    "PresentationIntentType": frozenset(("FOR", "PRESENTATION", "PROCESSING")),
    "LossyImageCompression": frozenset(("00", "01")),
    "LossyImageCompressionMethod": _words(
        "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15 ISO_18181_1 ISO_13818_2 ISO_14496_10"
        " ISO_23008_2"
    ),
    "RescaleType": _UNITS,
    "ModalityLUTType": _UNITS,
    "VOILUTFunction": frozenset(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
    "RecognizableVisualFeatures": _YES_NO,
    "QualityControlImage": _YES_NO,
    "PartialView": _YES_NO,
    "BreastImplantPresent": _YES_NO,
    "ScanningSequence": _words("SE IR GR EP RM"),
    "SequenceVariant": _words("SK MTC SS TRSS SP MP OSP NONE"),
    "MRAcquisitionType": frozenset(("1D", "2D", "3D")),
    "ConversionType": _words("DV DI DF WSD SD SI DRW SYN"),
    "PixelPresentation": _words("COLOR MONOCHROME MIXED TRUE_COLOR"),
    "VolumetricProperties": _words("VOLUME SAMPLED DISTORTED MIXED"),
    "VolumeBasedCalculationTechnique": _words(
        "MAX_IP MIN_IP VOLUME_RENDER SURFACE_RENDER MPR CURVED_MPR NONE MIXED"
    ),
    "ComplexImageComponent": _words("MAGNITUDE PHASE REAL IMAGINARY MIXED"),
    "AcquisitionContrast": _words(
        "DIFFUSION FLOW_ENCODED FLUID_ATTENUATED PERFUSION PROTON_DENSITY STIR TAGGING T1 T2"
        " T2_STAR TOF UNKNOWN MIXED"
    ),
    "DimensionOrganizationType": frozenset(("3D", "3D_TEMPORAL", "TILED_FULL", "TILED_SPARSE")),
}
"""Texts that stay, value by value: words of which each is one of these terms. Other values become
``OTHER`` where that is a term; else the element goes."""

COUNTS = ("SeriesNumber", "AcquisitionNumber", "InstanceNumber")
"""Numbers that people give; some systems write others into them, which are longer."""

NUMBERS = (
    *("KVP", "ExposureTime", "XRayTubeCurrent", "Exposure", "MagneticFieldStrength"),
    *("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "EchoTrainLength"),
    *("SliceThickness", "SpacingBetweenSlices", "SliceLocation", "ReconstructionDiameter"),
    *("DistanceSourceToDetector", "DistanceSourceToPatient"),
    *("EstimatedRadiographicMagnificationFactor", "BodyPartThickness", "CompressionForce"),
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"),
    *("ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelIntensityRelationshipSign", "LossyImageCompressionRatio"),
    *("RescaleIntercept", "RescaleSlope", "WindowCenter", "WindowWidth"),
    *("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    *("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
    *("DimensionIndexValues", "InStackPositionNumber", "TemporalPositionIndex"),
    "FrameAcquisitionNumber",
)
WORDS = ("PixelPaddingValue", "PixelPaddingRangeLimit")
"""Numbers of 16 bits with the sign of Pixel Representation."""

TABLES = ("LUT", *(f"{name}PaletteColorLookupTable" for name in ("Red", "Green", "Blue")))
"""Look-up tables, by what stands before ``Descriptor`` and ``Data``."""

POINTERS = ("DimensionIndexPointer", "FunctionalGroupPointer")

SEQUENCES = (
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence"),
    *("PixelValueTransformationSequence", "FrameVOILUTSequence", "FrameContentSequence"),
    *("ModalityLUTSequence", "VOILUTSequence", "FrameAnatomySequence"),
    *("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "XRay3DFrameTypeSequence"),
    *("DimensionIndexSequence", "DimensionOrganizationSequence"),
)
"""Their items are copied as the data set itself is."""

CODES = ("AnatomicRegionSequence", "ViewCodeSequence")
"""Sequences of codes: those that the dictionaries of PS3.16 know, with the meaning from there."""

EMPTY = (
    *("AccessionNumber", "ReferringPhysicianName", "StudyID", "PatientBirthDate"),
    *("PatientSex", "StudyDate", "StudyTime"),
)
"""Type 2: there without a value, unless an option retains them."""

DATES = tuple(f"{name}Date" for name in ("Study", "Series", "Acquisition", "Content"))
MOMENTS = ("AcquisitionDateTime", "FrameAcquisitionDateTime", "FrameReferenceDateTime")
"""What the option for dates retains, shifted: dates with their times, and moments."""

PATIENT = ("PatientAge", "PatientSize", "PatientWeight")
"""What the option for the patient retains, besides the sex."""

DEVICE = (
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "StationName",
)
"""What the option for the device retains."""
