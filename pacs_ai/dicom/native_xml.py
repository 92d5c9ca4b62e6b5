"""The Native DICOM Model in XML (PS3.19 Section A.1), made of the DICOM JSON model."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from pydicom.datadict import keyword_for_tag

_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def native_xml(model: Mapping[str, Any]) -> bytes:
    """Write a data set in the DICOM JSON model (PS3.18 Annex F) as XML."""
    root = ET.Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _add(root, model)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add(parent: ET.Element, model: Mapping[str, Any]) -> None:
    for tag, element in sorted(model.items()):
        attribute = ET.SubElement(parent, "DicomAttribute", {"tag": tag, "vr": element["vr"]})
        if keyword := keyword_for_tag(int(tag, 16)):
            attribute.set("keyword", keyword)
        if "BulkDataURI" in element:
            ET.SubElement(attribute, "BulkData", {"uri": element["BulkDataURI"]})
        if "InlineBinary" in element:
            ET.SubElement(attribute, "InlineBinary").text = element["InlineBinary"]
        for number, value in enumerate(element.get("Value", []), 1):
            _add_value(attribute, str(number), element["vr"], value)


def _add_value(attribute: ET.Element, number: str, vr: str, value: Any) -> None:  # noqa: ANN401 - of JSON
    if vr == "SQ":
        _add(ET.SubElement(attribute, "Item", {"number": number}), value)
    elif vr == "PN":
        name = ET.SubElement(attribute, "PersonName", {"number": number})
        for form, text in (value or {}).items():
            written = ET.SubElement(name, form)
            for part, content in zip(_NAME_PARTS, text.split("^"), strict=False):
                if content:
                    ET.SubElement(written, part).text = _plain(content)
    else:
        text = "" if value is None else _plain(str(value))
        ET.SubElement(attribute, "Value", {"number": number}).text = text


def _plain(text: str) -> str:
    """Leave out what XML 1.0 cannot hold."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
