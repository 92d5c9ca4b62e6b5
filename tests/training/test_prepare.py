"""What a command sets before TensorFlow starts."""

import os
import subprocess
import sys

import pytest

SAYS = """
import os, sys
from training.cli.options import prepare
prepare("cpu")
assert "tensorflow" not in sys.modules
print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
"""


@pytest.mark.parametrize(("given", "used"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_onednn_is_on_unless_somebody_switched_it_off(given: dict[str, str], used: str) -> None:
    bare = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(
        [sys.executable, "-c", SAYS], env=bare | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [used]
