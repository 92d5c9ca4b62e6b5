"""What a person can say about a result, and about a class of it."""

from enum import StrEnum


class FeedbackKind(StrEnum):
    """What a person says about a result: it holds, it holds with changes, it does not hold."""

    ACCEPT = "accept"
    MODIFY = "modify"
    REJECT = "reject"


class Label(StrEnum):
    """What a person says about one class of a study."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
