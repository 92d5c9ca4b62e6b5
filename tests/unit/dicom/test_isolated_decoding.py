import os
import signal
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest

from pacs_ai.dicom import isolated_decoding
from pacs_ai.dicom.codecs import COMPRESSED
from pacs_ai.dicom.isolated_decoding import decode_isolated
from pacs_ai.dicom.pixel_layout import Task
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, StorageError, UnsupportedPixels
from tests.unit.dicom.layouts import grey_layout

JPEG = "1.2.840.10008.1.2.4.50"
LAYOUT = grey_layout(8, 8)


def helper_pid() -> int:
    child = isolated_decoding._helper.child
    assert child is not None
    return child.pid


def test_what_no_codec_reads_is_told_as_such():
    frame = b"\xff\xd8 no picture"
    with pytest.raises(UnsupportedPixels, match="no legal marker"):
        decode_isolated(Task(JPEG, LAYOUT), BytesIO(frame), [(0, len(frame))])


def test_the_decoding_process_does_not_load_pydicom():
    """It starts while a study waits, and its memory counts for every worker."""
    code = "import sys, pacs_ai.dicom.decoding_process; sys.exit('pydicom' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_uncompressed_frames_go_there_too(make, monkeypatch):
    """And one that is stopped, and cannot end itself, is replaced."""
    path = make(PixelData=bytes(48))
    assert not read_pixels(path).any()
    first = helper_pid()
    monkeypatch.setattr(isolated_decoding, "SECONDS", 0.2)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(StorageError, match="stopped from outside"):
        read_pixels(path)
    monkeypatch.undo()
    assert not read_pixels(path).any()
    assert helper_pid() != first


def test_a_dead_child_is_replaced(corpus):
    path = next(path for path, row in corpus if row["transfer_syntax"].endswith(".4.70"))
    before = read_pixels(path)
    first = helper_pid()
    os.kill(first, signal.SIGKILL)
    isolated_decoding._helper.child.wait()
    np.testing.assert_array_equal(read_pixels(path), before)
    assert helper_pid() != first


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (signal.SIGSEGV, UnsupportedPixels, "crashed or took too long"),
        (signal.SIGABRT, UnsupportedPixels, "crashed or took too long"),
        (signal.SIGKILL, StorageError, "killed from outside"),
    ],
)
def test_a_child_that_dies_at_work_costs_one_frame_only(monkeypatch, corpus, number, error, words):
    """A kill comes from the machine, for want of memory mostly, and says nothing of the image."""
    path = next(path for path, row in corpus if row["transfer_syntax"].endswith(".4.70"))
    read_pixels(path)
    victim = helper_pid()
    send = isolated_decoding.send

    def killing(*message):
        os.kill(victim, number)
        isolated_decoding._helper.child.wait()
        send(*message)

    monkeypatch.setattr(isolated_decoding, "send", killing)
    with pytest.raises(error, match=words):
        read_pixels(path)
    monkeypatch.undo()
    assert read_pixels(path).size


def test_an_answer_nobody_took_is_not_the_next_frames(make, monkeypatch):
    """Whatever ends the waiting, a signal for one: the next picture is its own."""
    first, second = make(PixelData=bytes(48)), make()
    wanted = read_pixels(second)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(isolated_decoding, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_pixels(first)
    monkeypatch.undo()
    np.testing.assert_array_equal(read_pixels(second), wanted)


def test_a_frame_that_takes_too_long_ends_the_child(monkeypatch, corpus):
    path = next(path for path, row in corpus if row["file"].endswith("J2KI/MG1_J2KI"))
    monkeypatch.setattr(isolated_decoding, "SECONDS", 0.12)
    with pytest.raises(UnsupportedPixels, match="crashed or took too long"):
        read_pixels(path)


@pytest.mark.fuzz
@pytest.mark.parametrize("syntax", sorted(COMPRESSED))
def test_damaged_frames_raise_nothing_else(monkeypatch, corpus, tmp_path, syntax):
    """Whatever a codec does of it: a picture comes out, or a refusal."""
    monkeypatch.setattr(isolated_decoding, "SECONDS", 1)
    small = [path for path, row in corpus if row["transfer_syntax"] == syntax]
    small = sorted(small, key=lambda path: path.stat().st_size)[:2]
    for number, source in enumerate(small * 3):
        generator = np.random.default_rng(number)
        data = bytearray(source.read_bytes())
        for position in generator.integers(len(data) // 3, len(data), 1 + 5 * number):
            data[position] = int(generator.integers(256))
        path = tmp_path / "damaged.dcm"
        path.write_bytes(bytes(data))
        try:
            grey = read_pixels(path)
        except (UnsupportedPixels, NotDicom):
            continue
        assert np.isfinite(grey).all()
