"""Label sources: the label, box, split, patient and votes of an image."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pacs_ai.errors import ConfigError, DataError
from training.data.label_values import LabelColumns, Names
from training.data.samples import Box
from training.data.table import read_table, split_name
from training.recipe.label_tables import KeyName, PatternLabels, TableLabels


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a source: ``names`` in the words of the source, and its place (``origin``).

    ``split`` and ``patient`` are "" if the source does not give them. Without names, the majority
    of ``votes`` counts. ``uncertain`` are names that may be true or not.
    """

    names: tuple[str, ...]
    origin: str
    split: str = ""
    patient: str = ""
    box: Box | None = None
    votes: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()


class Labels(Protocol):
    """A source of labels."""

    def of(self, keys: Mapping[KeyName, str]) -> Sequence[Label] | None:
        """Return the labels of an image: one, or one for each box.

        None if the source does not have the image, no label if all its rows are left out.
        """

    def unused(self) -> list[str]:
        """Return the places of labels that no image used."""

    @property
    def uncertain(self) -> int:
        """The number of rows that are left out because a label is uncertain."""


class PatternSource:
    """Labels that are part of the PatientID.

    Raises
    ------
    ConfigError
        If the pattern is not a regular expression with a group.
    """

    uncertain = 0

    def __init__(self, config: PatternLabels) -> None:
        self._pattern = compile_pattern(config.pattern, "data.labels.pattern")

    def of(self, keys: Mapping[KeyName, str]) -> Sequence[Label] | None:
        """Return the label, or None if the pattern does not match."""
        found = self._pattern.search(keys["PatientID"])
        return [Label((found[1],), "the PatientID")] if found else None

    def unused(self) -> list[str]:
        """Return nothing: a pattern lists no images."""
        return []


class TableSource:
    """Labels from CSV files.

    Raises
    ------
    DataError
        If a file cannot be read or a row is invalid; names file and line.
    """

    def __init__(self, config: TableLabels, separator: str = "") -> None:
        self._config = config
        self._columns_of_labels = LabelColumns(
            config.label_columns or (config.label_column,),
            bool(config.label_columns),
            separator,
            config.uncertain,
        )
        self.uncertain = 0
        self._labels: dict[str, list[Label]] = defaultdict(list)
        self._asked: set[str] = set()
        wanted = [config.key_column, config.split_column, config.patient_column]
        wanted += config.vote_columns or self._columns_of_labels.columns
        self._columns = [name for name in (*wanted, *(config.box_columns or ())) if name]
        self._pattern = compile_pattern(config.key_pattern or "(.*)", "data.labels.key_pattern")
        for source in config.files:
            for line, row in read_table(source.file, self._columns):
                self._add(f"{source.file}, line {line}", row, source.split)

    def of(self, keys: Mapping[KeyName, str]) -> Sequence[Label] | None:
        """Return the rows for an image."""
        key = keys[self._config.key]
        self._asked.add(key)
        return self._labels.get(key)

    def unused(self) -> list[str]:
        """Return the places of rows without an image."""
        return [
            label.origin
            for key, labels in self._labels.items()
            if key not in self._asked
            for label in labels
        ]

    def _add(self, origin: str, row: Mapping[str, str], split: str) -> None:
        config = self._config
        found = self._pattern.search(row[config.key_column])
        if not found or not found[1]:
            raise DataError(f"{origin}: column {config.key_column!r} holds no {config.key}")
        labels = self._labels[found[1].strip()]
        votes = tuple(row[name] for name in config.vote_columns if row[name])
        names, uncertain = self._names(origin, row, votes)
        if uncertain and config.uncertain == "drop":
            self.uncertain += 1
            return
        label = Label(
            names=names,
            uncertain=uncertain,
            origin=origin,
            split=split or split_name(row.get(config.split_column, ""), origin),
            patient=row.get(config.patient_column, ""),
            box=read_box(row, config.box_columns, origin),
            votes=votes,
        )
        labels.append(label)

    def _names(self, origin: str, row: Mapping[str, str], votes: Sequence[str]) -> Names:
        if votes and not row.get(self._config.label_column):
            return (), ()  # `Classes` takes the majority of the votes
        return self._columns_of_labels.names({self._config.label_column: "", **row}, origin)


def read_box(row: Mapping[str, str], columns: Sequence[str] | None, origin: str) -> Box | None:
    """Read the box of the finding from a row; None if it has none.

    Raises
    ------
    DataError
        If it is not four numbers, or has no area.
    """
    if columns is None or not any(row[name] for name in columns):
        return None
    try:
        x0, y0, x1, y1 = (float(row[name]) for name in columns)
    except ValueError as error:
        raise DataError(f"{origin}: {', '.join(columns)} are not four numbers") from error
    if not (x0 < x1 and y0 < y1):
        raise DataError(f"{origin}: the box must have x0 < x1 and y0 < y1, in pixels")
    return x0, y0, x1, y1


def compile_pattern(pattern: str, key: str) -> re.Pattern[str]:
    """Compile a regular expression of a recipe.

    Raises
    ------
    ConfigError
        If it is not a regular expression, or has no group.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{key} is no regular expression: {error}") from error
    if not expression.groups:
        raise ConfigError(f"{key} needs a group, in parentheses, around what it is to find")
    return expression
