"""Text decoded as the standard says, each case written byte by byte, or refused."""

# ruff: noqa: RUF001 - letters of other scripts are what this is about

import pytest

from pacs_ai.dicom.charset import (
    NAME_DELIMITERS,
    PARAGRAPH_DELIMITERS,
    TEXT_DELIMITERS,
    UndecodableText,
    character_set,
)

ESC = b"\x1b"
NAMES = {
    # PS3.5 Annex H, I, J and K
    "ir 13 and 87": (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
        b"\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "ir 87": (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        "Yamada^Tarou=山田^太郎",
    ),
    "ir 159": ("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"\x1b$(D\x30\x21\x1b(B^A", "丂^A"),
    "a backslash in a pair": ("\\ISO 2022 IR 87", b"\x1b$B\x25\x5c\x25\x5e\x1b(B", "ボマ"),
    "ir 149": (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
        "Hong^Gildong=洪^吉洞",
    ),
    "ir 58": (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
    "back to latin 1": (
        "ISO 2022 IR 100\\ISO 2022 IR 149",
        b"\xe7^\x1b$)C\xa4\xba^\xe7",
        "ç^ㅊ^ç",
    ),
    "latin 1 and greek": (
        "ISO 2022 IR 100\\ISO 2022 IR 126",
        b"\xc4neas=\x1b-F\xc4\xe9\xef=\xc4",
        "Äneas=Διο=Ä",
    ),
    "gb18030": ("GB18030", "Wang^XiaoDong=王^小东=\U00020000".encode("gb18030"), None),
    "gbk, a backslash in a pair": ("GBK", "誠".encode("gbk"), "誠"),
    "utf-8": ("ISO_IR 192", "Wang=王^小東=Γ^Ж".encode(), "Wang=王^小東=Γ^Ж"),
    "cyrillic": ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
    "greek": ("ISO_IR 126", "Διονυσιος".encode("iso8859_7"), "Διονυσιος"),
    "arabic": ("ISO_IR 127", "قباني^لنزار".encode("iso8859_6"), "قباني^لنزار"),
    "hebrew": ("ISO_IR 138", "שרון^דבורה".encode("iso8859_8"), "שרון^דבורה"),
    "thai": ("ISO_IR 166", "สมชาย^ใจดี".encode("tis_620"), "สมชาย^ใจดี"),
    "latin 2": ("ISO_IR 101", "Wałęsa".encode("iso8859_2"), "Wałęsa"),
    "latin 3": ("ISO_IR 109", "Ġużè".encode("iso8859_3"), "Ġużè"),
    "latin 4": ("ISO_IR 110", "Ķēniņš".encode("iso8859_4"), "Ķēniņš"),
    "latin 5": ("ISO_IR 148", "Çavuşoğlu".encode("iso8859_9"), "Çavuşoğlu"),
    "latin 9": ("ISO_IR 203", "Œuvré".encode("iso8859_15"), "Œuvré"),
    "katakana": ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "a term with hyphens": ("ISO-IR-100", b"M\xfcller", "Müller"),
    "an unlisted set that names itself": ("", b"\x1b-A\xdcnal", "Ünal"),
    "plain text in an unknown set": ("ISO_IR 999", b"Doe^Jane", "Doe^Jane"),
}


@pytest.mark.parametrize(("terms", "raw", "text"), NAMES.values(), ids=NAMES)
def test_a_name_is_decoded_as_its_set_says(terms: str, raw: bytes, text: str | None) -> None:
    decoded = character_set(terms.split("\\")).decode(raw, NAME_DELIMITERS)
    assert decoded == (raw.decode("gb18030") if text is None else text)


def test_lines_and_values_begin_with_the_first_set_again() -> None:
    latin = character_set(["ISO 2022 IR 100", "ISO 2022 IR 144"])
    greeting = b"\x1b-L\xbf\xe0"
    assert latin.decode(greeting + b"\\\xe9", TEXT_DELIMITERS) == "Пр\\é"
    for end in b"\t\n\f\r":
        raw = greeting + bytes([end]) + b"\xe9"
        assert latin.decode(raw, PARAGRAPH_DELIMITERS) == f"Пр{chr(end)}é"
    # in a text of paragraphs a backslash is a letter, and ^ is one outside of names
    assert latin.decode(greeting + b"\\^\xe0", PARAGRAPH_DELIMITERS) == "Пр\\^р"


def test_japanese_has_a_yen_sign_where_it_is_no_delimiter() -> None:
    roman = character_set(["ISO_IR 13"])
    assert roman.decode(b"5\\ ~", PARAGRAPH_DELIMITERS) == "5¥ ‾"
    assert roman.decode(b"a\\b", TEXT_DELIMITERS) == "a\\b"


UNKNOWN = {
    "latin 1 without a set": ("", b"M\xfcller"),
    "utf-8 without a set": ("", "Müller".encode()),
    "latin 1 as utf-8": ("ISO_IR 192", b"M\xfcller"),
    "cut off utf-8": ("ISO_IR 192", "Müller".encode()[:2]),
    "surrogates as utf-8": ("ISO_IR 192", b"\xed\xa0\x80"),
    "windows quotes as latin 1": ("ISO_IR 100", b"O\x92Neill"),
    "a set that is not known": ("ISO_IR 999", b"M\xfcller"),
    "a codec's name": ("latin1", b"M\xfcller"),
    "an escape that is not known": ("\\ISO 2022 IR 87", b"\x1b%G\xe4"),
    "an escape at the end": ("\\ISO 2022 IR 87", b"Doe\x1b"),
    "half a pair": ("\\ISO 2022 IR 149", b"\x1b$)C\xfb"),
    "a pair outside the set": ("\\ISO 2022 IR 58", b"\x1b$)A\xff\xff"),
    "korean after a delimiter without its escape": (
        "\\ISO 2022 IR 149",
        b"\x1b$)C\xfb\xf3^\xd1\xce",
    ),
    "a hole in the set": ("ISO_IR 126", b"\xff"),
    "what another has not decoded": ("ISO_IR 192", "M\N{REPLACEMENT CHARACTER}ller".encode()),
    "an escape in utf-8": ("ISO_IR 192", b"Doe\x1b$B;3"),
    "an escape in gb18030": ("GB18030", b"\x1b$)A\xd5\xc5"),
}


@pytest.mark.parametrize(("terms", "raw"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_means_nothing_is_not_guessed(terms: str, raw: bytes) -> None:
    with pytest.raises(UndecodableText) as refused:
        character_set(terms.split("\\")).decode(raw, NAME_DELIMITERS)
    assert "ller" not in str(refused.value)
