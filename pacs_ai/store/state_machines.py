"""The state machines, as tables; each arrow has one function in `pacs_ai.store`."""

from collections.abc import Mapping

from pacs_ai.domain import DeliveryState, JobState, StudyState

STUDY_TRANSITIONS: Mapping[StudyState, frozenset[StudyState]] = {
    StudyState.RECEIVING: frozenset({StudyState.COMPLETE, StudyState.CONFLICT}),
    StudyState.COMPLETE: frozenset({StudyState.ROUTED, StudyState.RECEIVING, StudyState.CONFLICT}),
    StudyState.ROUTED: frozenset(
        {StudyState.RECEIVING, StudyState.PURGED, StudyState.CONFLICT, StudyState.DELETED}
    ),
    StudyState.CONFLICT: frozenset({StudyState.RECEIVING, StudyState.PURGED, StudyState.DELETED}),
    StudyState.PURGED: frozenset({StudyState.RECEIVING, StudyState.CONFLICT, StudyState.DELETED}),
    StudyState.DELETED: frozenset({StudyState.RECEIVING}),
}

JOB_TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.WAITING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.SUCCEEDED,
            JobState.WAITING,
            JobState.REJECTED,
            JobState.FAILED,
            JobState.QUEUED,
            JobState.CANCELLED,
        }
    ),
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.REJECTED: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.CANCELLED: frozenset(),
}

DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENDING, DeliveryState.CANCELLED}),
    DeliveryState.SENDING: frozenset(
        {
            DeliveryState.STORED,
            DeliveryState.WAITING,
            DeliveryState.FAILED,
            DeliveryState.PENDING,
            DeliveryState.CANCELLED,
        }
    ),
    DeliveryState.WAITING: frozenset({DeliveryState.PENDING, DeliveryState.CANCELLED}),
    DeliveryState.STORED: frozenset({DeliveryState.COMMITTING}),
    DeliveryState.COMMITTING: frozenset(
        {
            DeliveryState.COMMITTED,
            DeliveryState.COMMITTING,
            DeliveryState.PENDING,
            DeliveryState.STORED,
            DeliveryState.FAILED,
        }
    ),
    DeliveryState.COMMITTED: frozenset(),
    DeliveryState.FAILED: frozenset({DeliveryState.PENDING, DeliveryState.CANCELLED}),
    DeliveryState.CANCELLED: frozenset(),
}
