"""Look into an ONNX file without the onnx package.

A model can name any file of the machine as the place of a weight. Only models in one file are
served, so this reads the file message by message and searches for such a reference. In the same way
it finds the operators and the types of numbers that the model uses. What a classifier does not
need and a runtime would have to trust is refused: operators of other domains, functions of the
model, and nodes that contain graphs (``If``, ``Loop``, ``Scan``), which may never end.
"""

from collections.abc import Iterator

from pacs_ai.errors import BundleInvalid

_MAX_DEPTH = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DATA_LOCATION, _EXTERNAL_DATA = 14, 13
_DATA_TYPE, _OPERATOR, _DOMAIN = 2, 4, 7
_GRAPH, _OPSET, _FUNCTION = 7, 8, 25
_GRAPHS_IN_NODES = (6, 11)
_MOST_FIELDS = 4_000_000

DOMAINS = frozenset({"", "ai.onnx"})
"""Domains whose operators are served: those of the ONNX standard."""

OPSETS = range(7, 27)
"""Versions of the standard operators that are served."""

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
        If the bytes do not parse, hold no graph, refer to data in other files, or hold something
        else that is not served.
    """
    top = list(_fields(memoryview(model)))
    if not any(number == _GRAPH for number, _ in top):
        raise BundleInvalid("model.onnx holds no graph")
    for number, value in top:
        if number == _OPSET and isinstance(value, memoryview):
            _check_opset(value)
    for count, (kind, number, value) in enumerate(_walk(memoryview(model), "model", 0)):
        if fault := _fault(kind, number, value):
            raise BundleInvalid(f"model.onnx {fault}")
        if count >= _MOST_FIELDS:
            raise BundleInvalid("model.onnx has too many parts")


def _check_opset(message: memoryview) -> None:
    """Check the version of the standard operators; those of other domains are checked by node."""
    said = dict(_fields(message))
    version = said.get(2, 0)
    if _text(said.get(1, 0)) in DOMAINS and version not in OPSETS:
        raise BundleInvalid(
            f"model.onnx needs version {version} of the ONNX operators; served are "
            f"{OPSETS.start} to {OPSETS.stop - 1}"
        )


def _fault(kind: str, number: int, value: int | memoryview) -> str:
    """Say what is wrong with a field; "" if nothing is."""
    if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
        return "refers to data outside of itself"
    if kind == "node" and number == _DOMAIN and _text(value) not in DOMAINS:
        return f"has an operator of the domain {_text(value)[:64]!r}"
    if kind == "attribute" and number in _GRAPHS_IN_NODES:
        return "has a node that contains a graph (If, Loop or Scan)"
    return "has functions of its own" if (kind, number) == ("model", _FUNCTION) else ""


def _text(value: int | memoryview) -> str:
    return "" if isinstance(value, int) else str(value, "utf-8", "replace")


def operators(model: bytes) -> frozenset[str]:
    """Return the names of all operators that a model uses, in nested graphs and functions too.

    Raises
    ------
    BundleInvalid
        If the bytes do not parse.
    """
    found = _walk(memoryview(model), "model", 0)
    names = (value for kind, number, value in found if (kind, number) == ("node", _OPERATOR))
    return frozenset(_text(name) for name in names)


def data_types(model: bytes) -> frozenset[int]:
    """Return the types of all tensors that a model holds, as onnx.proto3 numbers them.

    Raises
    ------
    BundleInvalid
        If the bytes do not parse.
    """
    found = _walk(memoryview(model), "model", 0)
    types = (value for kind, number, value in found if (kind, number) == ("tensor", _DATA_TYPE))
    return frozenset(value for value in types if isinstance(value, int))


def _walk(
    message: memoryview, kind: str, depth: int
) -> Iterator[tuple[str, int, int | memoryview]]:
    """Walk the fields of a message and of all messages in it: kind of message, number, value."""
    if depth > _MAX_DEPTH:
        raise BundleInvalid("model.onnx is nested too deeply")
    children = _CHILDREN[kind]
    for number, value in _fields(message):
        yield kind, number, value
        if number in children and isinstance(value, memoryview):
            yield from _walk(value, children[number], depth + 1)


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
