"""Which file of a study says whose it is, for instances that name a patient who was corrected."""

from collections.abc import Mapping, Sequence

from pacs_ai.analysis.predict import Source
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.loopguard import OWN_RESULT
from pacs_ai.store.schema import Instance


def sources_of(
    context: FlowContext, rows: Sequence[Instance], named: Mapping[int, str]
) -> list[Source]:
    """Return the instances to look at; one that names a corrected patient only beside a right one.

    One that names another patient than the study's, without any file of the study that names the
    right one, is left out: nothing may come of it.
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
        if row.unusable_reason != OWN_RESULT and (right := named.get(row.id)) != ""
    ]
