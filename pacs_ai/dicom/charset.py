"""Text of DICOM, decoded as its character set says, or not at all (PS3.5 Section 6.1).

pydicom decodes what it cannot read with replacement characters, and loses its place in names that
switch between character sets. A result must not pass such text on, so this decoder either knows
what each byte means or raises `UndecodableText`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

NAME_DELIMITERS = frozenset(b"\\^=")
TEXT_DELIMITERS = frozenset(b"\\")
PARAGRAPH_DELIMITERS: frozenset[int] = frozenset()
"""What ends a code extension besides control characters: in PN, in other short text, and in text of
several paragraphs, where a backslash is a letter (PS3.5 Section 6.1.2.5.3)."""

_ESCAPE = 0x1B
_CONTROLS = frozenset(b"\t\n\f\r")
_HIGH = 0x80
_HIGH_GRAPHIC = 0xA0

# Character sets that fill the upper half of the code table, by the number of their registration.
_UPPER = {
    "13": "shift_jis",  # of which only the single bytes of JIS X 0201 are reached
    "100": "iso8859_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "166": "tis_620",
    "203": "iso8859_15",
    "58": "gb2312",
}
_UPPER_PAIRS = frozenset({"euc_kr", "gb2312"})
_LOWER_PAIRS = {"87": b"", "159": b"\x8f"}  # what EUC-JP writes before a pair of the set
_ROMAJI = {0x5C: "\N{YEN SIGN}", 0x7E: "\N{OVERLINE}"}
_WHOLE = {"192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
_ASCII = "6"

# Escape sequences (PS3.3 Tables C.12-3 and C.12-4): which half they fill, and with what.
_ESCAPES = {
    b"(B": ("lower", "6"),
    b"(J": ("lower", "14"),
    b"$B": ("lower", "87"),
    b"$(D": ("lower", "159"),
    b")I": ("upper", "13"),
    b"-A": ("upper", "100"),
    b"-B": ("upper", "101"),
    b"-C": ("upper", "109"),
    b"-D": ("upper", "110"),
    b"-F": ("upper", "126"),
    b"-G": ("upper", "127"),
    b"-H": ("upper", "138"),
    b"-L": ("upper", "144"),
    b"-M": ("upper", "148"),
    b"-T": ("upper", "166"),
    b"-b": ("upper", "203"),
    b"$)A": ("upper", "58"),
    b"$)C": ("upper", "149"),
}
_TERM = re.compile(r"ISO[ _-]?(?:2022)?[ _-]?(?:IR)?[ _-]?(\d+)")
_PLAIN_TERM = re.compile(r"(?:ISO[ _-]?2022[ _-]?)?(GB18030|GBK)")


class UndecodableText(ValueError):
    """Bytes that mean nothing in their declared character set. The message holds no value."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the two halves of the code table hold: registrations; "" for nothing."""

    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """What Specific Character Set (0008,0005) says.

    Parameters
    ----------
    whole
        Codec of a set without code extensions; "" for one with.
    initial
        The halves of the code table where a value begins, and after each delimiter; None for a
        set that is not known.
    """

    whole: str
    initial: _State | None

    def decode(self, raw: bytes, delimiters: frozenset[int]) -> str:
        """Decode the bytes of an element, all of its values.

        Parameters
        ----------
        raw
            The bytes, with or without padding.
        delimiters
            What ends a code extension, by the VR: one of the three sets of this module.

        Raises
        ------
        UndecodableText
            If a byte means nothing, an escape sequence is not one of DICOM's, the character set is
            not known, or the text holds U+FFFD, which another program wrote for what it could not
            decode.
        """
        if raw.isascii() and _ESCAPE not in raw and self._plain():
            return raw.decode("ascii")
        try:
            text = raw.decode(self.whole) if self.whole else self._extended(raw, delimiters)
        except UnicodeDecodeError as error:
            raise UndecodableText("bytes that the character set does not have") from error
        if "\N{REPLACEMENT CHARACTER}" in text or "\x1b" in text:
            raise UndecodableText("text that was not decoded before")
        return text

    def _plain(self) -> bool:
        return self.initial is None or bool(self.whole) or self.initial.lower == _ASCII

    def _extended(self, raw: bytes, delimiters: frozenset[int]) -> str:
        if self.initial is None:
            raise UndecodableText("a character set that is not known")
        return "".join(_parts(raw, self.initial, delimiters))


def character_set(terms: Sequence[str]) -> CharacterSet:
    """Read the values of Specific Character Set (PS3.3 Section C.12.1.1.2).

    Parameters
    ----------
    terms
        The values; none, or an empty first one, stands for the default repertoire.

    Notes
    -----
    Underscores, spaces and hyphens in the terms count as the same, as writers mix them up. Escape
    sequences name their sets themselves and are followed also where the set is not listed.
    """
    first = terms[0].strip().upper() if terms else ""
    if not first:
        return CharacterSet("", _State(_ASCII, ""))
    found = _PLAIN_TERM.fullmatch(first) or _TERM.fullmatch(first)
    name = found[1] if found else ""
    if name in _WHOLE:
        return CharacterSet(_WHOLE[name], _State(_ASCII, ""))
    if name == _ASCII or name in _LOWER_PAIRS:
        return CharacterSet("", _State(_ASCII, ""))
    if name in _UPPER:
        return CharacterSet("", _State("14" if name == "13" else _ASCII, name))
    return CharacterSet("", None)


def _parts(raw: bytes, initial: _State, delimiters: frozenset[int]) -> Iterator[str]:
    """Decode bit by bit: an escape sequence, a delimiter, or one character."""
    state, place = initial, 0
    while place < len(raw):
        byte = raw[place]
        if byte == _ESCAPE:
            state, place = _escaped(raw, place + 1, state)
        elif byte in _CONTROLS or (byte in delimiters and state.lower not in _LOWER_PAIRS):
            state, place = initial, place + 1
            yield chr(byte)
        else:
            length, letter = _character(raw, place, state)
            place += length
            yield letter


def _escaped(raw: bytes, place: int, state: _State) -> tuple[_State, int]:
    for sequence, (half, name) in _ESCAPES.items():
        if raw.startswith(sequence, place):
            upper = half == "upper"
            changed = replace(state, upper=name) if upper else replace(state, lower=name)
            return changed, place + len(sequence)
    raise UndecodableText("the text has an escape sequence that DICOM does not define")


def _character(raw: bytes, place: int, state: _State) -> tuple[int, str]:
    """Return how many bytes the next character has, and the character."""
    byte = raw[place]
    if byte >= _HIGH:
        if byte < _HIGH_GRAPHIC or not state.upper:
            raise UndecodableText("a byte that the character set does not have")
        codec = _UPPER[state.upper]
        length = 2 if codec in _UPPER_PAIRS else 1
        return length, raw[place : place + length].decode(codec)
    if state.lower in _LOWER_PAIRS and byte > ord(" "):
        pair = bytes(half | _HIGH for half in raw[place : place + 2])
        return 2, (_LOWER_PAIRS[state.lower] + pair).decode("euc_jp")
    if state.lower == "14" and byte in _ROMAJI:
        return 1, _ROMAJI[byte]
    return 1, chr(byte)
