"""What is measured, against whom, and what was aimed at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench.programs import (
    ALL,
    BARE,
    BESIDE_A_SLOW_ONE,
    DCMTK,
    OLD,
    ORTHANC,
    OURS,
    PYNETDICOM,
    RAW,
    RAW_FSYNC,
    TWO,
    UNDISTURBED,
    WHOLE,
    Program,
)
from tests.bench.sender import Load

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory is what is wanted
"""Where no disk stands between the receivers and their figures."""
DISK = None
"""The system's folder for temporary files."""

CT, LARGE, HUGE, SMALL = 530_000, 15_000_000, 2_000_000_000, 20_000


@dataclass(frozen=True)
class Case:
    """A load, who takes it, where it is written, and the goals: multiples of a program's rate.

    ``unfit`` says why a program is left out.
    """

    load: Load
    programs: tuple[str, ...]
    goals: dict[str, float] = field(default_factory=dict)
    peak_mb: int | None = None
    folder: Path | None = MEMORY
    known: Mapping[str, Program] = field(default_factory=lambda: ALL)
    unfit: dict[str, str] = field(default_factory=dict)

    def contestants(self, old: Path | None) -> dict[str, Program]:
        """The programs by name; ``old`` is a checkout of the earlier state, if there is one."""
        found = {name: self.known[name] for name in self.programs if name not in self.unfit}
        if old is None:
            found.pop(OLD, None)
        elif OLD in found:
            found[OLD] = replace(found[OLD], checkout=old)
        return found


_PROTOCOL = (RAW, OURS, BARE, DCMTK, PYNETDICOM)
_DURABLE = (RAW_FSYNC, OURS, OLD, ORTHANC, PYNETDICOM)
_TEN_AT_ONCE = {PYNETDICOM: "rejects an eleventh association"}

CASES = (
    Case(
        Load("300 CT of 0.5 MB, one association", 1, 300, CT),
        _PROTOCOL,
        {DCMTK: 2.0, PYNETDICOM: 18, RAW: 0.9, BARE: 0.95},
    ),
    Case(
        Load("200 associations of one image", 200, 1, SMALL),
        (OURS, BARE, DCMTK, PYNETDICOM),
        {DCMTK: 2.2, PYNETDICOM: 30},
    ),
    Case(Load("20 instances of 15 MB", 1, 20, LARGE), _PROTOCOL, {RAW: 0.9}, peak_mb=100),
    Case(
        Load("one instance of 2 GB", 1, 1, HUGE),
        _PROTOCOL,
        {RAW: 0.9},
        peak_mb=100,
        unfit={PYNETDICOM: "keeps it in memory several times"},
    ),
    Case(
        Load("durable: 200 CT, one association", 1, 200, CT),
        _DURABLE,
        {ORTHANC: 2.1},
        folder=DISK,
        known=WHOLE,
    ),
    Case(
        Load("durable: 16 associations at once, 25 CT each", 16, 25, CT, 16),
        (*_DURABLE, TWO),
        {ORTHANC: 1.6},
        folder=DISK,
        known=WHOLE,
        unfit=_TEN_AT_ONCE,
    ),
    Case(
        Load("16 senders at once, one of them slow", 15, 40, CT, 15),
        (UNDISTURBED, OURS, DCMTK, PYNETDICOM),
        {UNDISTURBED: 0.9},
        known=BESIDE_A_SLOW_ONE,
        unfit=_TEN_AT_ONCE,
    ),
)
