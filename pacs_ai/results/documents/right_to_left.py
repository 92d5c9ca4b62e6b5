"""Right-to-left scripts for a page that only knows glyphs in a row, from left to right.

Letters of the Arabic script change their form with their neighbours; Unicode keeps the forms in
its compatibility blocks, and says in its own database which form is which.
"""

import unicodedata
from itertools import groupby

_FORMS = {
    (tuple(int(code, 16) for code in letters), kind.strip("<>")): chr(point)
    for point in (*range(0xFB50, 0xFDFF), *range(0xFE70, 0xFEFD))
    for kind, *letters in [unicodedata.decomposition(chr(point)).split() or [""]]
    if 0 < len(letters) <= 2 and "0020" not in letters  # noqa: PLR2004 - a letter, or lam-alef
}
_TATWEEL = 0x640
_LAM = 0x644
_RIGHT_TO_LEFT = ("R", "AL")
_LEFT_TO_RIGHT = ("L", "EN", "AN")
_MIRRORED = str.maketrans("()[]{}<>", ")(][}{><")


def visual(text: str) -> str:
    """Bring a line of text into the order and the forms in which its glyphs stand on paper.

    Parameters
    ----------
    text
        One line in logical order.

    Notes
    -----
    The rules of the Unicode bidirectional algorithm (UAX 9) that a name or a description needs:
    its first letter gives the direction, numbers and foreign words keep theirs.
    """
    directions = [_direction(letter) for letter in text]
    if "R" not in directions:
        return text
    base = next(direction for direction in directions if direction != "N")
    runs = [
        (direction, "".join(letter for _, letter in pairs))
        for direction, pairs in groupby(
            zip(_resolved(directions, base), text, strict=True), key=lambda pair: pair[0]
        )
    ]
    ordered = [_backwards(_joined(run)) if way == "R" else run for way, run in runs]
    return "".join(reversed(ordered) if base == "R" else ordered)


def _direction(letter: str) -> str:
    kind = unicodedata.bidirectional(letter)
    if kind in _RIGHT_TO_LEFT:
        return "R"
    return "L" if kind in _LEFT_TO_RIGHT else "N"


def _resolved(directions: list[str], base: str) -> list[str]:
    """Give neutral letters the direction of their neighbours, or where those differ the base's."""
    resolved: list[str] = []
    for place, direction in enumerate(directions):
        before = resolved[-1] if resolved else base
        after = next((d for d in directions[place:] if d != "N"), base)
        neutral = before if before == after else base
        resolved.append(neutral if direction == "N" else direction)
    return resolved


def _backwards(run: str) -> str:
    """Reverse the letters, each with the marks that stand over and under it."""
    clusters: list[str] = []
    for letter in run:
        if clusters and unicodedata.combining(letter):
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return "".join(reversed(clusters)).translate(_MIRRORED)


def _joined(run: str) -> str:
    """Put in the forms that Arabic letters have beside each other."""
    letters = [ord(letter) for letter in run if not unicodedata.combining(letter)]
    marks = _marks(run)
    made: list[str] = []
    place = 0
    while place < len(letters):
        pair = tuple(letters[place : place + 2])
        ligature = pair[:1] == (_LAM,) and (pair, "isolated") in _FORMS
        unit = pair if ligature else pair[:1]
        joins_before = place > 0 and _joins_next(letters[place - 1]) and (unit, "final") in _FORMS
        rest = letters[place + len(unit) :]
        joins_next = bool(rest) and _joins_next(unit[-1]) and _joins_before(rest[0])
        made.append(_form(unit, joins_before=joins_before, joins_next=joins_next))
        made += marks[place : place + len(unit)]
        place += len(unit)
    return "".join(made)


def _marks(run: str) -> list[str]:
    """Return the marks of each letter."""
    marks: list[str] = []
    for letter in run:
        if not unicodedata.combining(letter):
            marks.append("")
        elif marks:
            marks[-1] += letter
    return marks


def _joins_next(letter: int) -> bool:
    return letter == _TATWEEL or ((letter,), "initial") in _FORMS


def _joins_before(letter: int) -> bool:
    return letter == _TATWEEL or ((letter,), "final") in _FORMS


def _form(unit: tuple[int, ...], *, joins_before: bool, joins_next: bool) -> str:
    if joins_before:
        kind = "medial" if joins_next else "final"
    else:
        kind = "initial" if joins_next else "isolated"
    return _FORMS.get((unit, kind)) or "".join(map(chr, unit))
