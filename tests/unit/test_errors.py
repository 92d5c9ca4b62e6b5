"""The error tree is as its module draws it, and each class says what an operator can do."""

import re

import pytest

from pacs_ai import errors
from pacs_ai.errors import PacsAIError


def family(parent: type[PacsAIError]) -> list[type[PacsAIError]]:
    return [parent, *(found for child in parent.__subclasses__() for found in family(child))]


ALL = [cls for cls in family(PacsAIError) if cls.__module__ == errors.__name__]


def test_the_drawing_names_every_class_below_its_parent() -> None:
    drawing = re.findall(r"├─ (\w+)|└─ (\w+)", errors.__doc__ or "")
    drawn = {first or second for first, second in drawing}
    assert drawn == {cls.__name__ for cls in ALL if cls is not PacsAIError}


def test_codes_are_unique_and_stable_in_form() -> None:
    codes = [cls.code for cls in ALL]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[A-Z]+([_-][A-Z]+)*", code) for code in codes)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_each_has_its_own_code_and_a_remedy(cls: type[PacsAIError]) -> None:
    assert "code" in vars(cls)
    sentences = re.findall(r"[.;]", (cls.__doc__ or "").split("Parameters")[0])
    assert len(sentences) >= 2 or cls is PacsAIError, "meaning, then what to do"


def test_exit_codes_are_those_of_the_command_line() -> None:
    assert {cls.exit_code for cls in ALL} == {1, 2, 3, 4}
    assert errors.ConfigError.exit_code == 2
    objecting = {errors.ContextRejected, errors.StoreRefused}  # the peer is there and refuses data
    unreachable = {cls for cls in ALL if issubclass(cls, errors.PeerError)} - objecting
    assert {cls.exit_code for cls in unreachable} == {3}
    assert {cls.exit_code for cls in objecting} == {4}
    assert {cls.exit_code for cls in ALL if issubclass(cls, errors.DataError)} == {4}


def test_message_is_kept() -> None:
    assert errors.StoreRefused("refused by PACS", 0xA700).status == 0xA700
    assert str(errors.NoSpace("full")) == errors.NoSpace("full").message == "full"
