"""Feedback as labels for the next training: a CSV file with a row for each study."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pacs_ai.feedback_kinds import Label

KEY = "StudyInstanceUID"
VALUES = {Label.PRESENT: "1", Label.ABSENT: "0", Label.UNCERTAIN: "-1"}
"""What stands for a label in a table that training reads."""


@dataclass(frozen=True, slots=True)
class StudyLabels:
    """The labels of one study, by the name of the class."""

    study_instance_uid: str
    labels: dict[str, Label] = field(default_factory=dict)


def agreed_labels(said: Iterable[tuple[str, dict[str, Label]]]) -> list[StudyLabels]:
    """Put together what several users say of studies, or of several models' results.

    Parameters
    ----------
    said
        Study Instance UID and labels, each user and result once.

    Returns
    -------
    list of StudyLabels
        By UID. A class about which users disagree is uncertain; a study without any label is
        left out.
    """
    by_study: dict[str, dict[str, set[Label]]] = defaultdict(lambda: defaultdict(set))
    for uid, labels in said:
        for name, label in labels.items():
            by_study[uid][name].add(label)
    return [
        StudyLabels(
            uid,
            {
                name: next(iter(labels)) if len(labels) == 1 else Label.UNCERTAIN
                for name, labels in classes.items()
            },
        )
        for uid, classes in sorted(by_study.items())
    ]


def as_csv(studies: Iterable[StudyLabels]) -> str:
    """Write labels as CSV: a column for each class, with 1, 0, or -1 where it is uncertain.

    A class of which nothing is said of a study is uncertain, too: an empty cell would mean 0.
    """
    studies = list(studies)
    names = sorted({name for study in studies for name in study.labels})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([KEY, *names])
    for study in studies:
        values = [VALUES[study.labels.get(name, Label.UNCERTAIN)] for name in names]
        writer.writerow([study.study_instance_uid, *values])
    return text.getvalue()
