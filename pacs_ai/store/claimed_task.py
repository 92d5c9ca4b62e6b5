"""A task that a worker holds, and the name of its claim."""

import secrets
from dataclasses import dataclass

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Priority


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task under lease; ``claim`` names who holds it, ``node/boot/process/token``.

    ``overtook``: an older task of these kinds waits, because this one is more urgent.
    """

    claim: str
    kind: TaskKind
    key: str
    version: int = 1
    priority: int = Priority.ROUTINE
    overtook: bool = False


def new_claim(owner: str) -> str:
    """Return a name that no other claim has: also the same process gets another one each time."""
    return f"{owner}/{secrets.token_hex(4)}"


def owner_of(claim: str) -> str:
    """Return who made a claim."""
    return claim.rpartition("/")[0]
