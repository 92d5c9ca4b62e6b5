"""A walk over every element of a data set, by hand: no value is read, nothing is decoded.

Iterative, so that nesting costs no stack; the memory it needs does not grow with the data set.
What it takes and what it refuses is PS3.5 Section 7 with the liberties that archives take: see
`walk`.
"""

import struct
from dataclasses import dataclass, field

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from pacs_ai.dicom.element_encoding import (
    LONG_FORM,
    UNDEFINED,
    BadDataset,
    Buffer,
    Encoding,
    Value,
    Walked,
    check_first,
    is_vr,
    looks_explicit,
    no_vr,
    only_zeros,
    unknown_is_long,
)

MAX_DEPTH = 64
MAX_ELEMENTS = 8_000_000
"""Elements, items and fragments of one data set; a bound for the time a walk may take."""

_DELIMITERS = 0xFFFE
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
_FIRST_TAG = 0x00080000
_FORBIDDEN_GROUPS = frozenset({0x0000, 0x0002})
_FRAGMENTED = frozenset({b"OB", b"OW"})
_SEQUENCES = frozenset({b"SQ", b"UN"})
_SEQUENCE_TAGS = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
_PIXEL_DATA = 0x7FE00010
_NONE: frozenset[int] = frozenset()
_HEADER = 8


@dataclass(slots=True)
class _Level:
    """An open data set (top or item) or sequence. ``defined``: its end is known from its length."""

    limit: int
    defined: bool
    items: bool
    explicit: bool


@dataclass(slots=True)
class _Walk:
    data: Buffer
    position: int
    wanted: frozenset[int]
    encoding: Encoding
    levels: list[_Level]
    count: int = 0
    found: dict[int, Value] = field(default_factory=dict)
    guessed: int | None = None


def walk(data: Buffer, start: int, encoding: Encoding, wanted: frozenset[int]) -> Walked:
    """Walk a data set to its last byte.

    Parameters
    ----------
    data
        The bytes; the data set ends where they end.
    start
        Where it begins.
    encoding
        What the transfer syntax says.
    wanted
        Tags of the top level whose place is wanted.

    Returns
    -------
    Walked
        Where the wanted elements are.

    Raises
    ------
    BadDataset
        If an element reaches beyond the data set, its item or its sequence; if a sequence or item
        is not closed; on undefined length where the standard has none; on anything that cannot be
        an element; below `MAX_DEPTH` sequences or after `MAX_ELEMENTS` elements.

    Notes
    -----
    Accepted beyond the standard: odd lengths; elements out of order; unknown VRs of two capital
    letters; any other bytes instead of a VR, which make the element UN in short form, if the walk
    then reaches the end; implicit items in explicit data sets, and explicit ones below UN;
    delimiters where a length was given; zero bytes after the last element. A data set cut off
    exactly between two elements of its top level looks whole; only the transport can tell.
    """
    if len(data) > start:
        check_first(data, start, encoding)
    top = _Level(len(data), defined=True, items=False, explicit=encoding.explicit)
    state = _Walk(data, start, wanted, encoding, [top])
    try:
        _pass_all(state)
    except BadDataset as error:
        if state.guessed is None:
            raise
        raise no_vr(state.guessed) from error
    return Walked(state.found, state.guessed)


def _pass_all(state: _Walk) -> None:
    """Pass level after level until none is open."""
    try:
        while state.levels:
            level = state.levels[-1]
            if level.items:
                _next_item(state, level)
            elif level.explicit:
                _explicit_elements(state, level)
            else:
                _implicit_elements(state, level)
    except struct.error as error:
        rest = state.data[state.position :]
        if len(state.levels) > 1 or len(rest) >= _HEADER or any(rest):
            raise BadDataset(f"cut off in the element at byte {state.position}") from error


def _explicit_elements(state: _Walk, level: _Level) -> None:
    """Pass elements until the level ends or something nested begins."""
    data, limit = state.data, level.limit
    header = struct.Struct(state.encoding.order + "HH2sH").unpack_from
    wanted = state.wanted if len(state.levels) == 1 else _NONE
    position = state.position
    while position < limit:
        state.position = position
        _count(state)
        group, element, vr, length = header(data, position)
        position += _HEADER
        tag = group << 16 | element
        if not tag and _padded(state):
            return None
        long_form = LONG_FORM.get(vr)
        if long_form is None and group != _DELIMITERS:
            long_form = _unknown_vr(state, position, vr, length)
        if long_form:
            (length,) = struct.unpack_from(state.encoding.order + "I", data, position)
            position += 4
        if length == UNDEFINED or vr == b"SQ" or group == _DELIMITERS:
            return _nested(state, level, tag, vr, position, length)
        position += length
        if tag in wanted or tag < _FIRST_TAG:
            _note(state, tag, Value(position - length, length))
    return _leave(state, level, position)


def _implicit_elements(state: _Walk, level: _Level) -> None:
    """Pass elements until the level ends or something nested begins."""
    data, limit = state.data, level.limit
    header = struct.Struct("<HHI").unpack_from
    wanted = state.wanted if len(state.levels) == 1 else _NONE
    position = state.position
    while position < limit:
        state.position = position
        _count(state)
        group, element, length = header(data, position)
        position += _HEADER
        tag = group << 16 | element
        if not tag and _padded(state):
            return None
        if length == UNDEFINED or tag in _SEQUENCE_TAGS or group == _DELIMITERS:
            vr = b"OW" if tag == _PIXEL_DATA else b"SQ"
            return _nested(state, level, tag, vr, position, length)
        position += length
        if tag in wanted or tag < _FIRST_TAG:
            _note(state, tag, Value(position - length, length))
    return _leave(state, level, position)


def _padded(state: _Walk) -> bool:
    """Tell whether the data set has ended and only padding follows; end the walk if so."""
    if len(state.levels) > 1 or not only_zeros(state.data, state.position):
        return False
    state.levels.pop()
    return True


def _unknown_vr(state: _Walk, position: int, vr: bytes, length: int) -> bool:
    """Tell which form an element of an unknown VR has, and note one that can be no VR at all."""
    if is_vr(vr):
        return unknown_is_long(state.data, position, state.encoding, length)
    if state.guessed is None:
        state.guessed = position - 4
    return False


def _count(state: _Walk) -> None:
    state.count += 1
    if state.count > MAX_ELEMENTS:
        raise BadDataset(f"more than {MAX_ELEMENTS} elements")


def _note(state: _Walk, tag: int, value: Value) -> None:
    if tag in state.wanted:
        state.found[tag] = value
    elif len(state.levels) == 1 and tag >> 16 in _FORBIDDEN_GROUPS:
        raise BadDataset(f"an element of group {tag >> 16:04X} inside the data set")


def _leave(state: _Walk, level: _Level, position: int) -> None:
    """Close a level whose bytes are used up."""
    if position > level.limit:
        raise BadDataset(f"the element at byte {state.position} reaches beyond its end")
    if not level.defined:
        raise BadDataset(f"a sequence or item is not closed at byte {position}")
    state.position = position
    state.levels.pop()


def _nested(state: _Walk, level: _Level, tag: int, vr: bytes, position: int, length: int) -> None:
    """Go into a sequence, pass encapsulated data, or leave an item at its delimiter."""
    if tag >> 16 == _DELIMITERS:
        if tag & 0xFFFF != _ITEM_END or length or len(state.levels) == 1:
            raise BadDataset(f"a delimiter out of place at byte {state.position}")
        if level.defined and position != level.limit:
            raise BadDataset(f"an item ends before its length at byte {position}")
        state.position = position
        state.levels.pop()
    elif vr in _FRAGMENTED:
        _pass_fragments(state, level, tag, position)
    elif vr in _SEQUENCES:
        # Below UN the encoding is always implicit (PS3.5 Section 6.2.2).
        explicit = level.explicit and vr == b"SQ"
        state.position = position
        _open(state, level, _Level(length, length != UNDEFINED, items=True, explicit=explicit))
    else:
        raise BadDataset(f"undefined length at byte {state.position} on a VR that has none")


def _open(state: _Walk, parent: _Level, level: _Level) -> None:
    """Enter a level; its ``limit`` comes as a length and becomes the byte where it ends."""
    if len(state.levels) > 2 * MAX_DEPTH:
        raise BadDataset(f"sequences nested deeper than {MAX_DEPTH}")
    level.limit = state.position + level.limit if level.defined else parent.limit
    if level.limit > parent.limit:
        raise BadDataset(f"what begins at byte {state.position} reaches beyond its end")
    state.levels.append(level)


def _next_item(state: _Walk, level: _Level) -> None:
    """Enter the next item of a sequence, or leave the sequence."""
    position = state.position
    if position == level.limit:
        return _leave(state, level, position)
    _count(state)
    order = state.encoding.order if level.explicit else "<"
    group, element, length = struct.unpack_from(order + "HHI", state.data, position)
    state.position = position + _HEADER
    if group == _DELIMITERS and element == _SEQUENCE_END:
        if level.defined and state.position != level.limit:
            raise BadDataset(f"a sequence ends before its length at byte {position}")
        state.levels.pop()
    elif group == _DELIMITERS and element == _ITEM:
        explicit = state.encoding.explicit and looks_explicit(
            state.data,
            state.position,
            sequence_explicit=level.explicit,
            limit=state.position + length if length != UNDEFINED else level.limit,
        )
        _open(state, level, _Level(length, length != UNDEFINED, items=False, explicit=explicit))
    else:
        raise BadDataset(f"no item where one must be at byte {position}")
    return None


def _pass_fragments(state: _Walk, level: _Level, tag: int, position: int) -> None:
    """Pass an encapsulated value: items of known length up to the sequence delimiter."""
    header = struct.Struct((state.encoding.order if level.explicit else "<") + "HHI").unpack_from
    data, limit, start, fragments = state.data, level.limit, position, 0
    while True:
        group, element, length = header(data, position)
        position += _HEADER
        if group == _DELIMITERS and element == _SEQUENCE_END:
            break
        if group != _DELIMITERS or element != _ITEM or length > limit - position:
            raise BadDataset(f"a fragment at byte {position - _HEADER} is not whole")
        position += length
        fragments += 1
        _count(state)
    if position > limit:
        raise BadDataset(f"the element at byte {state.position} reaches beyond its end")
    state.position = position
    if len(state.levels) == 1:
        _note(state, tag, Value(start, position - _HEADER - start, fragments))
