"""Legacy files of PyTorch, written here by their published form, without PyTorch."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


def write_torch(path: Path, tensors: Mapping[str, np.ndarray], *, evil: bytes = b"") -> None:
    """Write tensors as `torch.save` did before version 1.6; ``evil`` stands before the rest."""
    body = b"\x80\x02" + evil + b"ccollections\nOrderedDict\n)R("
    for key, (name, array) in enumerate(tensors.items()):
        body += _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        body += _text("storage") + b"ctorch\nFloatStorage\n" + _text(str(key)) + _text("cpu")
        body += _number(array.size) + b"NtQ" + _number(0) + _shape(array.shape)
        strides = [step // array.itemsize for step in array.strides]
        body += _shape(strides) + b"\x89" + b"ccollections\nOrderedDict\n)RtR"
    body += b"u."
    keys = b"\x80\x02](" + b"".join(_text(str(key)) for key in range(len(tensors))) + b"e."
    data = b"".join(
        struct.pack("<q", array.size) + array.astype("<f4").tobytes() for array in tensors.values()
    )
    machine = b"\x80\x02}(" + _text("little_endian") + b"\x88u."
    path.write_bytes(_long(MAGIC) + _long(VERSION) + machine + body + keys + data)


def _long(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return b"\x80\x02\x8a" + bytes([len(raw)]) + raw + b"."


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _shape(values: tuple[int, ...] | list[int]) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"
