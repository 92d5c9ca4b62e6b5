"""PixelMed's validator of structured reports, in a Java machine that stays.

A new one compiles its rules for seconds before it reads a report. Run as a program, this module is
the machine: it answers on a socket until its standard input closes.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import missing

JAR = Path("/usr/share/java/pixelmed.jar")
VALIDATOR = "com.pixelmed.validate.DicomSRValidator"

OPTIONS = (
    "-Djdk.xml.xpathExprGrpLimit=0",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
)
"""Without them it validates nothing, and still ends well."""

_PROGRAM = """#!{python}
import os, socket, sys
if "{validator}" not in sys.argv:
    os.execv("{java}", ["java", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as machine:
    machine.connect("{address}")
    machine.sendall(os.path.abspath(sys.argv[-1]).encode())
    machine.shutdown(socket.SHUT_WR)
    with machine.makefile() as answer:
        sys.stdout.write(answer.read())
"""


@contextlib.contextmanager
def standing_java(tool: Callable[[str], Path]) -> Iterator[Path]:
    """Yield a program that is called as ``java`` is, and has the machine validate reports."""
    java = tool("java")
    if not JAR.is_file():
        missing("PixelMed of Debian's libpixelmed-java")
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/machine"
        program = Path(folder) / "java"
        program.write_text(
            _PROGRAM.format(python=sys.executable, validator=VALIDATOR, java=java, address=address),
            "utf-8",
        )
        program.chmod(0o700)
        command = [sys.executable, "-m", __name__, address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
            assert machine.stdout is not None
            assert machine.stdout.readline() == b"ready\n"
            yield program
            machine.kill()


def _serve(address: str) -> None:
    import jpype  # noqa: PLC0415 - a package of the tests that only this process loads

    jpype.startJVM("-XX:+UseSerialGC", *OPTIONS, classpath=[str(JAR)])
    validator = jpype.JClass(VALIDATOR)()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            caller, _ = listening.accept()
            with caller, caller.makefile("rw") as talk:
                talk.write(str(validator.validate(talk.read())))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _serve(sys.argv[1])
