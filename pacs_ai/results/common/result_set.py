"""The results of a study that belong together, and the report that is their root (ADR 0038).

The report refers to every other object by instance. It is made last, when all others are known.
The others refer back to it: images by the series of the report, as a study that grows gets a new
report and keeps its pictures; documents by the instance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.domain import DOCUMENTS, ModelIdentity, ResultKind
from pacs_ai.results.common.codes import TITLE
from pacs_ai.results.common.context import ResultContext
from pacs_ai.uids import derived_uid

ROOT = ResultKind.REPORT
"""The kind of result that refers to all others."""

_NO_REPORT = "without a report"
_SERIES = frozenset({ResultKind.STACK})
"""Kinds of which the first object stands for all: there is one for each image."""


@dataclass(frozen=True, slots=True)
class MadeObject:
    """A DICOM object of a study, as the report refers to it.

    ``tracking`` is the Tracking Identifier of the finding that it shows, "" if it states none.
    """

    kind: ResultKind
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    tracking: str = ""


@dataclass(frozen=True, slots=True)
class Root:
    """The report that refers to the other results of a study.

    ``kinds`` are those that it may refer to; its UID depends on them.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    kinds: tuple[ResultKind, ...]

    def series_items(self) -> list[Dataset]:
        """Items of Related Series Sequence (PS3.3 Section C.7.3.1)."""
        item = Dataset()
        item.StudyInstanceUID = self.study_instance_uid
        item.SeriesInstanceUID = self.series_instance_uid
        item.PurposeOfReferenceCodeSequence = [TITLE]
        return [item]

    def instance_items(self, *, purpose: bool) -> list[Dataset]:
        """Items of Referenced Instance Sequence (PS3.3 Sections C.17.2 and C.24.2).

        Parameters
        ----------
        purpose
            Whether the module has a purpose of reference: a report has, a page has not.
        """
        item = Dataset()
        item.ReferencedSOPClassUID = Comprehensive3DSRStorage
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        if purpose:
            item.PurposeOfReferenceCodeSequence = [TITLE]
        return [item]

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""
        return str(Comprehensive3DSRStorage)


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The results of a study: their root, and what was made so far.

    Parameters
    ----------
    root
        The report; None if none is asked for.
    made
        The other objects, in the order in which they were made.
    failed
        Kinds that were asked for and could not be made.
    """

    root: Root | None = None
    made: list[MadeObject] = field(default_factory=list)
    failed: list[ResultKind] = field(default_factory=list)

    @property
    def named(self) -> list[MadeObject]:
        """The objects that others name one by one, in the order in which they were made."""
        first = {one.kind: one for one in reversed(self.made) if one.kind in _SERIES}
        return [one for one in self.made if first.get(one.kind, one) is one]

    @property
    def root_key(self) -> tuple[str, ...]:
        """What the UID of the report depends on, besides what it is about."""
        kinds = self.root.kinds if self.root is not None else ()
        return (*kinds, *(f"no {kind}" for kind in self.failed if kind in kinds))

    @property
    def picture_key(self) -> tuple[str, ...]:
        """What the UID of an image depends on: whether it refers to a report."""
        return () if self.root is not None else (_NO_REPORT,)

    @property
    def document_key(self) -> tuple[str, ...]:
        """What the UID of a document depends on: the report that it refers to."""
        return (_NO_REPORT,) if self.root is None else (self.root.sop_instance_uid,)


def relate(picture: Dataset, results: ResultSet) -> None:
    """Refer from an image to the series of the report, if there is one; changed in place."""
    if results.root is not None:
        picture.RelatedSeriesSequence = results.root.series_items()


def result_set(
    wanted: Sequence[ResultKind],
    context: ResultContext,
    model: ModelIdentity,
    study_uid: str,
    key: tuple[str, ...],
) -> ResultSet:
    """Return the set of a study in which nothing is made yet.

    Parameters
    ----------
    wanted
        Kinds that are asked for.
    context, model, study_uid
        What the UIDs of the report depend on, besides the following.
    key
        What the study's results as a whole depend on.
    """
    if ROOT not in wanted:
        return ResultSet()
    kinds = tuple(k for k in ResultKind if k in wanted and k is not ROOT and k not in DOCUMENTS)
    series = context.series_key(model, ROOT, study_uid)
    return ResultSet(
        Root(
            study_instance_uid=study_uid,
            series_instance_uid=derived_uid("series", *series),
            sop_instance_uid=derived_uid("instance", *series, *key, *kinds),
            kinds=kinds,
        )
    )
