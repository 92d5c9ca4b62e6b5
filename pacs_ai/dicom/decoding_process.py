"""The decoding process: it turns bytes into frames until nobody asks any more.

Loaded are numpy and what the frames need, not pydicom: this process starts while a study waits.
"""

import os
import resource
import signal
import socket
import warnings
from typing import Any

import numpy as np

from pacs_ai.dicom.canonical import Decoded, Stored, canonical
from pacs_ai.dicom.codec_errors import CODEC_ERRORS
from pacs_ai.dicom.codecs import COMPRESSED, decode_compressed
from pacs_ai.dicom.decoding_message import new_region, receive, send
from pacs_ai.dicom.native import DEFLATED_FRAME, decode_native, inflate_frame
from pacs_ai.dicom.pixel_layout import PixelLayout, Task
from pacs_ai.errors import UnsupportedPixels

_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_MEMORY = 4 * 1024**3


def serve(descriptor: int) -> None:
    """Answer what comes in by a socket until its other end is gone."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with socket.socket(fileno=descriptor) as channel:
        while _serve_one(channel):
            pass


def _serve_one(channel: socket.socket) -> bool:
    """Answer one message; False if there are no more. No frame is kept after its answer."""
    try:
        about, data = receive(channel)
    except EOFError:
        return False
    signal.setitimer(signal.ITIMER_REAL, about["seconds"])
    _answer(channel, about, memoryview(data if data is not None else b""))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def attempt(about: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], Stored | None]:
    """Decode what a message asks for; returns the answer, and the values unless it is refused."""
    task = Task(**about["task"] | {"layout": PixelLayout(**about["task"]["layout"])})
    try:
        frame = canonical(decode(task, data), task.layout)
    except UnsupportedPixels as error:
        return {"error": error.message}, None
    except CODEC_ERRORS as error:
        return {"error": f"no codec could decode the frame ({type(error).__name__})"}, None
    values = frame.values
    answer = {
        "dtype": values.dtype.str,
        "shape": values.shape,
        "photometric": frame.photometric,
        "place": _place(values, data),
    }
    return answer, values


def decode(task: Task, data: memoryview) -> Decoded:
    """Decode one frame of any transfer syntax.

    Raises
    ------
    UnsupportedPixels
        If bytes and header contradict each other. What the codecs raise comes as it is.
    """
    if task.syntax in COMPRESSED:
        return decode_compressed(task.syntax, data.tobytes(), task.layout)
    if task.syntax == DEFLATED_FRAME:
        return decode_native(inflate_frame(data, task.layout), task.layout)
    order = ">" if task.syntax == _EXPLICIT_BIG else "<"
    return decode_native(data, task.layout, order=order, swapped=task.swapped, skip=task.skip)


def _place(values: Stored, data: memoryview) -> int | None:
    """Tell where in the bytes of the message the values stand as they are, if they do."""
    start: int = np.frombuffer(data, dtype="u1").ctypes.data
    place: int = values.ctypes.data - start
    inside = 0 <= place <= len(data) - values.nbytes
    return place if inside and values.flags.c_contiguous else None


def _answer(channel: socket.socket, about: dict[str, Any], data: memoryview) -> None:
    answer, values = attempt(about, data)
    if values is None or answer["place"] is not None:
        send(channel, answer, None)
        return
    descriptor, region = new_region(values.nbytes)
    np.copyto(np.frombuffer(region, dtype=values.dtype).reshape(values.shape), values)
    send(channel, answer, descriptor, values.nbytes)
    os.close(descriptor)
