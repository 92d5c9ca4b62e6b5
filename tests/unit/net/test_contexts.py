"""The tables of SOP classes and transfer syntaxes."""

from pacs_ai.net.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from tests import net_peer as net


def test_tables_hold_what_they_say() -> None:
    assert len(set(TRANSFER_SYNTAXES)) == len(TRANSFER_SYNTAXES) > 50
    assert STORAGE_CLASSES[net.CT] == "CT Image Storage"
    assert len(STORAGE_CLASSES) > 150
    assert net.VERIFICATION not in STORAGE_CLASSES
