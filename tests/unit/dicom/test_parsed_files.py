"""A file is parsed once for its header and its frames, with the outcome of two parses."""

from collections import Counter

import numpy as np
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pacs_ai.dicom import header, parsed_files, pixels
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.parsed_files import ParsedFiles
from pacs_ai.dicom.pixels import decode_frame
from pacs_ai.dicom.reading import read_until_pixels
from pacs_ai.errors import NotDicom, StorageError, UnsupportedPixels
from tests.unit.dicom.luts import item, words

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@pytest.fixture
def parsed(monkeypatch) -> Counter:
    """How often each file is parsed."""
    count: Counter = Counter()

    def counting(stream, keywords):
        count[str(stream.name)] += 1
        return read_until_pixels(stream, keywords)

    for module in (header, parsed_files, pixels):
        monkeypatch.setattr(module, "read_until_pixels", counting)
    return count


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_header_and_frames_take_one_parse(make, parsed, syntax):
    path = make(syntax, WindowCenter=10, WindowWidth=21)
    files = ParsedFiles()
    seen = files.header(path)
    frames = [files.decode(path, 1) for _ in range(3)]
    assert parsed == {str(path): 1}
    assert seen == read_header(path)
    for frame in frames:
        again = decode_frame(path)
        np.testing.assert_array_equal(frame.values, again.values)
        assert (frame.layout, frame.rendering) == (again.layout, again.rendering)


def test_all_frames_of_an_instance_take_one_parse(make, parsed):
    values = np.arange(72, dtype="<i2").reshape(3, 4, 6)
    groups = [
        item(FrameVOILUTSequence=Sequence([item(WindowCenter=n, WindowWidth=9)])) for n in range(3)
    ]
    path = make(
        NumberOfFrames=3, PixelData=words(values), PerFrameFunctionalGroupsSequence=Sequence(groups)
    )
    files = ParsedFiles()
    files.header(path)
    for number in (1, 2, 3):
        frame = files.decode(path, number)
        np.testing.assert_array_equal(frame.values, values[number - 1])
        assert frame.rendering.voi.window.centre == number - 1
    assert parsed == {str(path): 1}


def test_what_is_not_kept_is_parsed_again(make, parsed):
    kept, inflated, third = make(), make(DeflatedExplicitVRLittleEndian), make()
    files = ParsedFiles(limit=1)
    for path in (kept, inflated, third):
        files.header(path)
        assert files.decode(path, 1).values[0, 5] == 5
    assert parsed == {str(kept): 1, str(inflated): 2, str(third): 2}


def test_a_corrected_file_takes_the_patient_from_the_other(make):
    path, right = make(PatientAge="001Y"), make(PatientAge="044Y")
    files = ParsedFiles()
    assert files.header(path, right) == read_header(path, right)
    assert files.decode(path, 1).values[0, 5] == 5


def test_errors_are_those_of_the_file(make, tmp_path):
    files = ParsedFiles()
    (tmp_path / "text").write_bytes(b"no DICOM")
    with pytest.raises(NotDicom):
        files.header(tmp_path / "text")
    with pytest.raises(StorageError):
        files.header(tmp_path / "none")
    empty, gone = make(PixelData=None), make()
    for path in (empty, gone):
        files.header(path)
    with pytest.raises(UnsupportedPixels, match="no pixel data"):
        files.decode(empty, 1)
    gone.unlink()
    with pytest.raises(StorageError):
        files.decode(gone, 1)
