"""Boxes that come as XML files beside a collection."""

from pathlib import Path

import pytest

from pacs_ai.errors import DataError
from training.data.voc import read_voc

UID = "1.2.3.4"
OBJECT = "<object><name>A</name><bndbox>{}</bndbox></object>"
SIDES = "<xmin>10</xmin><ymin>20.5</ymin><xmax>30</xmax><ymax>40</ymax>"


def annotated(folder: Path, body: str, head: str = "") -> Path:
    (folder / "patient").mkdir()
    (folder / "patient" / f"{UID}.xml").write_text(
        f"{head}<annotation><size><xmin>no box</xmin></size>{body}</annotation>", encoding="utf-8"
    )
    return folder


def test_every_box_of_an_image_is_read(tmp_path: Path) -> None:
    other = OBJECT.format("<ymax>4</ymax><xmax>3</xmax><ymin>2</ymin><xmin>1</xmin>")
    folder = annotated(tmp_path, OBJECT.format(SIDES) + other)
    assert read_voc(folder, UID) == [(10.0, 20.5, 30.0, 40.0), (1.0, 2.0, 3.0, 4.0)]


def test_an_image_without_a_file_has_no_box(tmp_path: Path) -> None:
    assert read_voc(annotated(tmp_path, OBJECT.format(SIDES)), "1.2.3.5") == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist; data\.boxes names it"):
        read_voc(tmp_path / "nowhere", UID)


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (OBJECT.format("<xmin>1</xmin>"), ""),
        (OBJECT.format(SIDES.replace("10", "ten")), ""),
        (OBJECT.format(SIDES.replace("30", "5")), ""),
        ("<object>", ""),
        (OBJECT.format(SIDES), '<!DOCTYPE a [<!ENTITY many "many">]>'),
    ],
    ids=["sides missing", "no number", "turned round", "cut off", "entities"],
)
def test_a_damaged_file_is_named(body: str, head: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{UID}\.xml"):
        read_voc(annotated(tmp_path, body, head), UID)
