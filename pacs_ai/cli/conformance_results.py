"""The part of the conformance statement about the objects that are made."""

from collections.abc import Iterator

from pacs_ai.cli.markdown import table
from pacs_ai.dicom.modules import BASIC_TEXT_SR, COMPREHENSIVE_SR, ENHANCED_SR
from pacs_ai.net.contexts import STORAGE_CLASSES
from pacs_ai.results.kinds import KINDS, Objects

RESULTS = {kind: maker.sop_class_uid for kind, maker in KINDS.items() if isinstance(maker, Objects)}
"""Kinds of results that are DICOM objects, with their SOP classes."""


def results_section() -> Iterator[str]:
    """Write the section, line by line."""
    yield "## Objects made"
    yield ""
    yield from table(
        ("Result", "SOP class", "UID"),
        [(kind, STORAGE_CLASSES[uid], f"`{uid}`") for kind, uid in RESULTS.items()],
    )
    yield "Report and region follow TID 1500 (Measurement Report), the report of a study that was"
    yield "not analysable TID 2000 (Basic Diagnostic Imaging Report), the key objects TID 2010. A"
    yield "peer that refuses Comprehensive 3D SR gets these reports as Comprehensive SR"
    yield f"(`{COMPREHENSIVE_SR}`) or, if it refuses that too, as Enhanced SR (`{ENHANCED_SR}`)."
    yield f"The report (not the region) goes as Basic Text SR (`{BASIC_TEXT_SR}`) at last: without"
    yield "template, with numbers as text and images in place of coordinates. A peer that refuses"
    yield "Label Map Segmentation gets the same content as Segmentation of the type BINARY."
    yield ""
    yield "All are in Explicit VR Little Endian and ISO_IR 192, in series of their own in the study"
    yield "they are about, with UIDs derived from study, instances and model: the same again for"
    yield "the same input. Patient and study attributes are copied from the source as far as they"
    yield "can be decoded and are legal; the report names what is left out. Private codes are of"
    yield "the scheme `99PACSAI`; there are no private attributes. What each object holds is"
    yield "in [results.md](results.md)."
    yield ""
    yield "The report refers to all other results of its study, and they lead to it (Related Series"
    yield "Sequence, Referenced Instance Sequence, COMPOSITE). Each object names the model in"
    yield "Contributing Equipment Sequence, with a Device UID. The map states Tracking ID and"
    yield "Tracking UID of its finding, which its IOD does not have: it is of a Standard Extended"
    yield "SOP Class."
    yield ""
