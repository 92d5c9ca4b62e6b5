"""The files that an analysis reads, and which of them name the right patient."""

from collections.abc import Collection, Mapping, Sequence

from pacs_ai.analysis.predict import Source
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.store.schema import Instance


def sources_of(
    context: FlowContext,
    rows: Sequence[Instance],
    named: Mapping[int, str],
    series: Collection[str] = (),
) -> list[Source]:
    """Return the instances of a study revision that are analysed.

    An instance that names a patient who was corrected takes the patient from a file of the study
    that names the right one. Without such a file it is left out.

    Parameters
    ----------
    named
        For such instances, by id: the path of the file with the right patient, "" if there is none.
    series
        Series Instance UIDs: only these are analysed; () for all.
    """
    path_of = context.spool.path_of
    return [
        Source(
            path_of(row.path),
            row.id,
            row.modality,
            row.series_instance_uid,
            path_of(right) if right else None,
        )
        for row in rows
        if row.unusable_reason != OWN_RESULT
        and (not series or row.series_instance_uid in series)
        and (right := named.get(row.id)) != ""
    ]
