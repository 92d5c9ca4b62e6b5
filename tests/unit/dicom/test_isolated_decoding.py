import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.dicom import decoding_child, isolated_decoding
from pacs_ai.dicom.isolated_decoding import DecodingPool, decode_isolated
from pacs_ai.dicom.pixel_layout import Task
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import StorageError, UnsupportedPixels
from tests.node import wait_for
from tests.unit.dicom import encoders
from tests.unit.dicom.encoders import JPEG, image, stored
from tests.unit.dicom.layouts import grey_layout

LAYOUT = grey_layout(8, 8)


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """A pool of this test alone."""
    pool = DecodingPool(2)
    monkeypatch.setattr(isolated_decoding, "pool", pool)
    yield pool
    pool.stop()


@pytest.fixture
def compressed(make):
    """Write a frame of lossless JPEG; its values are those of ``number``."""

    def write(number=0, shape=(64, 64)):
        y, x = np.mgrid[: shape[0], : shape[1]]
        samples = ((x + y) * (number + 1) % 4096).astype("u2")
        path = image(make, f"{JPEG}70", [encoders.lossless_jpeg(1)(samples, 16)], samples)
        return path, samples

    return write


def pid(pool):
    [child] = pool.children
    return child.process.pid


def test_what_no_codec_reads_is_told_as_such():
    frame = b"\xff\xd8 no picture"
    with pytest.raises(UnsupportedPixels, match="no legal marker"):
        decode_isolated(Task(f"{JPEG}50", LAYOUT), BytesIO(frame), [(0, len(frame))])


def test_the_decoding_process_does_not_load_pydicom():
    """It starts while a study waits, and its memory counts for every worker."""
    code = "import sys, pacs_ai.dicom.decoding_process; sys.exit('pydicom' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_uncompressed_frames_need_no_process(make, pool):
    assert not read_pixels(make(PixelData=bytes(48))).any()
    assert pool.children == []


def test_one_that_is_stopped_and_cannot_end_itself_is_replaced(compressed, pool, monkeypatch):
    path, _ = compressed()
    wanted = read_pixels(path)
    first = pid(pool)
    monkeypatch.setattr(decoding_child, "SECONDS", 0.2)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(StorageError, match="stopped from outside"):
        read_pixels(path)
    monkeypatch.undo()
    monkeypatch.setattr(isolated_decoding, "pool", pool)
    np.testing.assert_array_equal(read_pixels(path), wanted)
    assert pid(pool) != first


def test_a_dead_child_is_replaced(compressed, pool):
    path, _ = compressed()
    before = read_pixels(path)
    first = pid(pool)
    os.kill(first, signal.SIGKILL)
    pool.children[0].process.wait()
    np.testing.assert_array_equal(read_pixels(path), before)
    assert pid(pool) != first


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (signal.SIGSEGV, UnsupportedPixels, "crashed or took too long"),
        (signal.SIGABRT, UnsupportedPixels, "crashed or took too long"),
        (signal.SIGKILL, StorageError, "killed from outside"),
    ],
)
def test_a_child_that_dies_at_work_costs_one_frame_only(
    monkeypatch, compressed, pool, number, error, words
):
    """A kill comes from the machine, for want of memory mostly, and says nothing of the image."""
    path, _ = compressed()
    read_pixels(path)
    send = decoding_child.send

    def killing(*message):
        os.kill(pid(pool), number)
        pool.children[0].process.wait()
        send(*message)

    with monkeypatch.context() as patch:
        patch.setattr(decoding_child, "send", killing)
        with pytest.raises(error, match=words):
            read_pixels(path)
    assert read_pixels(path).size


def test_a_hang_concerns_its_own_frame_only(compressed, pool):
    path, _ = compressed()
    wanted = read_pixels(path)
    first = pid(pool)
    os.kill(first, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(read_pixels, path)
        wait_for(lambda: not pool.idle)
        np.testing.assert_array_equal(read_pixels(path), wanted)
        assert len(pool.children) == 2
        os.kill(first, signal.SIGKILL)
        with pytest.raises(StorageError, match="killed from outside"):
            hanging.result(60)


def test_many_threads_share_few_processes(compressed, pool):
    """Frames of any size by turns: each thread gets the values of its own."""
    pictures = [compressed(number, (16 + number, 400 - 40 * number)) for number in range(8)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(stored, [path for path, _ in pictures] * 5))
    for one, (_, samples) in zip(found, pictures * 5, strict=True):
        np.testing.assert_array_equal(one.values, samples)
    assert len(pool.children) <= 2
    assert len(pool.idle) == len(pool.children)


def test_a_large_region_is_not_kept(compressed, pool, monkeypatch):
    path, samples = compressed()
    monkeypatch.setattr(decoding_child, "KEPT_BYTES", 100)
    for _ in range(2):
        np.testing.assert_array_equal(stored(path).values, samples)
    assert pool.children[0].region is None


def test_after_a_fork_the_processes_are_the_parents(compressed, pool):
    path, samples = compressed()
    stored(path)
    [child] = pool.children
    reader, writer = os.pipe()
    if not (fork := os.fork()):
        pool.forget()
        same = np.array_equal(stored(path).values, samples)
        os.write(writer, b"1" if same and pool.children[0] is not child else b"0")
        pool.stop()
        os._exit(0)
    os.waitpid(fork, 0)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    os.close(writer)
    np.testing.assert_array_equal(stored(path).values, samples)
    assert pool.children == [child]


def test_they_end_with_their_parent(compressed):
    """Even if it is killed; one that works at that time ends when its frame is done."""
    path, _ = compressed()
    code = (
        "import sys, time; from pathlib import Path\n"
        "from pacs_ai.dicom.isolated_decoding import pool\n"
        "from pacs_ai.dicom.pixels import read_pixels\n"
        "read_pixels(Path(sys.argv[1]))\n"
        "print(pool.children[0].process.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not Path(f"/proc/{child}").exists())


def test_an_answer_nobody_took_is_not_the_next_frames(compressed, monkeypatch):
    """Whatever ends the waiting, a signal for one: the next picture is its own."""
    (first, _), (second, _) = compressed(0), compressed(1)
    wanted = read_pixels(second)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoding_child, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read_pixels(first)
    np.testing.assert_array_equal(read_pixels(second), wanted)
