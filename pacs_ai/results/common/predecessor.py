"""A report that another one names: as the one that it replaces, or as that of an earlier study."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Predecessor:
    """An earlier report; its file may have been deleted."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
