"""Check an ONNX file without the onnx package: it must not refer to data in other files.

A model can name any file of the machine as the place of a weight. Only models in one file are
served, so this reads the file message by message and searches for such a reference.
"""

from collections.abc import Iterator

from pacs_ai.errors import BundleInvalid

_MAX_DEPTH = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DATA_LOCATION, _EXTERNAL_DATA = 14, 13

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {},
}
"""Field numbers of onnx.proto3 under which a tensor can lie."""


def check_whole(model: bytes) -> None:
    """Refuse a model that is not one well-formed file.

    Parameters
    ----------
    model
        Content of the ONNX file.

    Raises
    ------
    BundleInvalid
        If the bytes do not parse, hold no graph, or refer to data in other files.
    """
    if not any(number == 7 for number, _ in _fields(memoryview(model))):  # noqa: PLR2004 - graph
        raise BundleInvalid("model.onnx holds no graph")
    _walk(memoryview(model), "model", 0)


def _walk(message: memoryview, kind: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BundleInvalid("model.onnx is nested too deeply")
    children = _CHILDREN[kind]
    for number, value in _fields(message):
        if kind == "tensor" and (
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        ):
            raise BundleInvalid("model.onnx refers to data outside of itself")
        if number in children and isinstance(value, memoryview):
            _walk(value, children[number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk the fields of a message (protobuf wire format): number, and varint or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise BundleInvalid("model.onnx is not an ONNX file")
        if at + length > len(message):
            raise BundleInvalid("model.onnx is cut off")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:  # noqa: PLR2004 - bits
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no continuation bit
            return value, at
    raise BundleInvalid("model.onnx is cut off")
