"""The decoding process: it turns bytes into frames until nobody asks any more.

Loaded are numpy and what the frames need, not pydicom: this process starts while a study waits.
"""

import mmap
import resource
import signal
import socket
import warnings
from typing import Any

import numpy as np

from pacs_ai.dicom.canonical import Decoded, Stored, canonical
from pacs_ai.dicom.codec_errors import CODEC_ERRORS
from pacs_ai.dicom.codecs import COMPRESSED, decode_compressed
from pacs_ai.dicom.decoding_message import receive, send
from pacs_ai.dicom.native import DEFLATED_FRAME, decode_native, inflate_frame
from pacs_ai.dicom.pixel_layout import PixelLayout, Task
from pacs_ai.errors import UnsupportedPixels

_MEMORY = 4 * 1024**3


def serve(descriptor: int) -> None:
    """Answer what comes in by a socket until its other end is gone."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    region: mmap.mmap | None = None
    with socket.socket(fileno=descriptor) as channel:
        while True:
            try:
                about, new = receive(channel)
            except EOFError:
                return
            region = new or region
            if region is None:
                return
            signal.setitimer(signal.ITIMER_REAL, about["seconds"])
            answer = attempt(about, region)
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(channel, answer, None)


def attempt(about: dict[str, Any], region: mmap.mmap) -> dict[str, Any]:
    """Decode what a message asks for, and put the values in the place of the frame's bytes.

    Parameters
    ----------
    about
        The message: the `Task` as a dictionary, and the size of the frame in bytes.
    region
        Holds the frame at its beginning, and has room for the values.

    Returns
    -------
    dict
        What the values are: ``dtype``, ``shape``, ``photometric``; or ``error``, a sentence.
    """
    task = Task(**about["task"] | {"layout": PixelLayout(**about["task"]["layout"])})
    try:
        frame = canonical(decode(task, region[: about["size"]]), task.layout)
        _keep(frame.values, region)
    except UnsupportedPixels as error:
        return {"error": error.message}
    except CODEC_ERRORS as error:
        return {"error": f"no codec could decode the frame ({type(error).__name__})"}
    dtype = frame.values.dtype.str
    return {"dtype": dtype, "shape": frame.values.shape, "photometric": frame.photometric}


def decode(task: Task, data: bytes) -> Decoded:
    """Decode one compressed frame.

    Raises
    ------
    UnsupportedPixels
        If bytes and header contradict each other. What the codecs raise comes as it is.
    """
    if task.syntax in COMPRESSED:
        return decode_compressed(task.syntax, data, task.layout)
    if task.syntax == DEFLATED_FRAME:
        return decode_native(inflate_frame(data, task.layout), task.layout)
    raise UnsupportedPixels("there is no codec for the transfer syntax")


def _keep(values: Stored, region: mmap.mmap) -> None:
    kept = np.frombuffer(region, dtype=values.dtype, count=values.size)
    np.copyto(kept.reshape(values.shape), values)
