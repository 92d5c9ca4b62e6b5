"""Results kind by kind: one that cannot be made costs only itself."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pacs_ai.domain import ResultKind
from pacs_ai.errors import DataError, InvalidResult, PacsAIError, StorageError
from pacs_ai.results.build import Built

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What was kept, and which kinds could not be made, with the reason."""

    made: list[T]
    failed: dict[ResultKind, DataError]

    @property
    def code(self) -> str:
        """Code of the first error; "" if there is none."""
        return next((error.code for error in self.failed.values()), "")

    @property
    def reasons(self) -> dict[str, str]:
        """Codes and messages, by the names of the kinds."""
        return {str(kind): f"{e.code}: {e.message}" for kind, e in self.failed.items()}

    @property
    def remark(self) -> str:
        """Say which kinds are missing and why; "" if none is."""
        return "; ".join(f"{kind} not made: {error.message}" for kind, error in self.failed.items())


def each_kind(
    kinds: Sequence[ResultKind],
    build: Callable[[Sequence[ResultKind]], Iterable[Built]],
    keep: Callable[[Built], T],
    drop: Callable[[T], None],
) -> Outcome[T]:
    """Make and keep the results of each kind, whole or not at all.

    Parameters
    ----------
    kinds
        What is wanted.
    build
        Makes the results of some kinds, one after the other.
    keep
        Stores a result.
    drop
        Removes what `keep` has stored: of a stack that breaks off nothing stays behind.

    Raises
    ------
    StorageError
        If the storage fails, which is no fault of a result; nothing stays behind.
    """
    made: list[T] = []
    failed: dict[ResultKind, DataError] = {}
    for kind in kinds:
        before = len(made)
        try:
            for result in build([kind]):
                made.append(keep(result))
        except StorageError:
            _drop(made, 0, drop)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library throws, the others are made
            _drop(made, before, drop)
            failed[kind] = _reason(kind, error)
    return Outcome(made, failed)


def _drop(made: list[T], first: int, drop: Callable[[T], None]) -> None:
    for one in made[first:]:
        drop(one)
    del made[first:]


def _reason(kind: ResultKind, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    if isinstance(error, PacsAIError):
        return InvalidResult(error.message)
    return InvalidResult(f"the {kind} cannot be made (unexpected {type(error).__name__})")
