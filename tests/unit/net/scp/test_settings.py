"""Settings of the listener that are refused."""

from dataclasses import replace

import pytest

from pacs_ai.errors import ConfigError
from pacs_ai.net.scp.settings import ServerSettings


@pytest.mark.parametrize(
    "changes",
    [
        {"ae_titles": ()},
        {"ae_titles": (" ",)},
        {"max_pdu": 0},
        {"max_pdu": 1 << 30},
        {"port": None},
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(ServerSettings(ae_titles=("X",)), **changes)  # type: ignore[arg-type]
