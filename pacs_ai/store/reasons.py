"""Why a job or a delivery is as it is, in a line for people."""

from pacs_ai.store.schema import Delivery


def error_text(code: str, text: str) -> str:
    """Write an error with its code."""
    return ": ".join(filter(None, (code, text)))


def reason_of(delivery: Delivery) -> str:
    """Say what is wrong with a delivery, and in whose place its result goes."""
    other = delivery.in_place_of
    instead = f"in place of the {other}, whose class the peer refuses" if other else ""
    return "; ".join(filter(None, (error_text(delivery.error_code, delivery.error_text), instead)))
