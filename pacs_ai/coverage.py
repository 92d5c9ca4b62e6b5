"""How many images of a study a model has analysed, and why it has not analysed the others."""

from dataclasses import dataclass

INCOMPLETE_ABOVE = 0.1
"""If a larger share of the images is not analysed, the study counts as incompletely analysed. A
bundle may state another share."""

NAMED = 5
"""Number of images not analysed that are named."""

UNREADABLE = "unreadable"
OTHER_ORIENTATION = "in another orientation"
THINNED = "beyond what the model takes"
NOT_RECEIVED = "not received from the source"
"""Why images were not analysed, in words that follow a number."""

ALL_IMAGES = "all"
"""The choice of images of a bundle that states none; `pacs_ai.dicom.image_choice` has the others.
"""

_TEENS = (11, 12, 13)
_ORDINALS = {"1": "1st", "2": "2nd", "3": "3rd"}
_DECIMALS = 9  # of share times count: as floating point numbers 0.7 x 10 is not exactly 7


@dataclass(frozen=True, slots=True)
class Unseen:
    """How many images were not analysed, and the names of the first of them: ``image 14``."""

    count: int = 0
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = self.count - len(self.names)
        rest = (f"{more} more",) if more else ()
        return f" ({', '.join((*self.names, *rest))})" if self.names else ""


NONE = Unseen()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Images of a study that the model takes and did not get, counted in frames.

    Parameters
    ----------
    unreadable
        Header or pixels cannot be read.
    other_orientation
        They lie in another direction than nearly all others of their series.
    thinned
        The model takes no more than ``max_images`` of a study.
    passed_over
        The bundle chooses other images of their sequence. They are not missing: the figures of the
        model were measured without them.
    unplaced
        How many of the unreadable ones have no place in a sequence, since header or pixels are
        lost: the bundle chose without them.
    other_series
        Number of series of slices, not of images: the model gets only the largest series.
    not_received
        Images that the source of the study has, and that had not arrived when it was closed.
    """

    unreadable: Unseen = NONE
    other_orientation: Unseen = NONE
    thinned: int = 0
    passed_over: int = 0
    unplaced: int = 0
    other_series: int = 0
    not_received: int = 0


NOTHING = LeftOut()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many images of how many were analysed.

    Parameters
    ----------
    analysed
        Number of images, or frames, that the model has analysed.
    left_out
        The images that it has not analysed.
    limit
        Share of images not analysed above which the analysis is incomplete.
    frames
        Whether frames are counted rather than images.
    choice
        Which images of a sequence the bundle chooses: ``all``, ``central-5``, ``every-4``.
    """

    analysed: int
    left_out: LeftOut
    limit: float = INCOMPLETE_ABOVE
    frames: bool = False
    choice: str = ALL_IMAGES

    @property
    def lost(self) -> int:
        """Number of images that the model has not analysed, for any reason.

        Images beyond ``max_images`` count too: a finding may lie in one of them. A bundle whose
        figures were measured on such studies states a larger share.
        """
        left_out = self.left_out
        seen = left_out.unreadable.count + left_out.other_orientation.count + left_out.thinned
        return seen + left_out.not_received

    @property
    def total(self) -> int:
        """Number of all images that the model should have got.

        Those of the chosen series, and all that are no slices; without those passed over.
        """
        return self.analysed + self.lost

    @property
    def lost_share(self) -> float:
        """Share of `lost` among all, in [0, 1]."""
        return self.lost / max(1, self.total)

    @property
    def incomplete(self) -> bool:
        """Tell whether too many images are missing to call any finding absent."""
        return self.lost > round(self.limit * self.total, _DECIMALS)

    @property
    def extent(self) -> str:
        """Write ``27 of 28 images``, or ``central 5 of 120 images`` if the bundle chooses."""
        over = self.left_out.passed_over
        unit = "frame" if self.frames else "image"
        units = f"{unit}{'s' if self.total + over != 1 else ''}"
        counted = f"{self.analysed} of {self.total} {units}"
        if not over:
            return counted
        chosen = (
            f"{_words(self.choice, self.total - self.left_out.unplaced)} of {self.total + over}"
        )
        return f"{counted} ({chosen})" if self.lost else f"{chosen} {units}"

    @property
    def partial(self) -> bool:
        """Tell whether the model has not analysed all images, for whatever reason."""
        return bool(self.reasons or self.left_out.passed_over)

    @property
    def reasons(self) -> tuple[tuple[str, Unseen], ...]:
        """Why images were left out, in words that follow a number, and which."""
        said = (
            (UNREADABLE, self.left_out.unreadable),
            (OTHER_ORIENTATION, self.left_out.other_orientation),
            (THINNED, Unseen(self.left_out.thinned)),
            (NOT_RECEIVED, Unseen(self.left_out.not_received)),
        )
        return tuple((words, unseen) for words, unseen in said if unseen.count)

    @property
    def remark(self) -> str:
        """Say what was not analysed: ``27 of 28 images analysed, 1 unreadable``; "" if nothing."""
        causes = [f"{unseen.count} {words}" for words, unseen in self.reasons]
        return ", ".join([f"{self.extent} analysed", *causes]) if self.partial else ""

    @property
    def sentence(self) -> str:
        """Say how many images were analysed, even if it is all of them."""
        series = self.left_out.other_series
        return f"{self.extent} analysed" + (f", of 1 of {series + 1} series" if series else "")

    @property
    def key(self) -> tuple[str, ...]:
        """Return a key that differs if other images were not analysed; () if all were analysed."""
        said = [f"{unseen.count} {words}{unseen}" for words, unseen in self.reasons]
        series = self.left_out.other_series
        return (self.sentence, *said) if self.partial or series else ()


def _words(choice: str, chosen: int) -> str:
    """Say which images a bundle chooses: ``central 5``, ``every 4th``."""
    kind, _, number = choice.partition("-")
    if kind != "every":
        return f"{kind} {chosen}"
    teen = int(number) % 100 in _TEENS
    last = number[-1] if teen else _ORDINALS.get(number[-1], number[-1])
    return f"every {number[:-1]}{last}{'' if last in _ORDINALS.values() else 'th'}"
