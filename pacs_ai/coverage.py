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
"""Why images were not analysed, in words that follow a number."""

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
    other_series
        Number of series of slices, not of images: the model gets only the largest series.
    """

    unreadable: Unseen = NONE
    other_orientation: Unseen = NONE
    thinned: int = 0
    other_series: int = 0


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
    """

    analysed: int
    left_out: LeftOut
    limit: float = INCOMPLETE_ABOVE
    frames: bool = False

    @property
    def lost(self) -> int:
        """Number of images that the model has not analysed, for any reason.

        Images beyond ``max_images`` count too: a finding may lie in one of them. A bundle whose
        figures were measured on such studies states a larger share.
        """
        left_out = self.left_out
        return left_out.unreadable.count + left_out.other_orientation.count + left_out.thinned

    @property
    def total(self) -> int:
        """Number of all images: those of the chosen series, and all that are no slices."""
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
        """Write ``27 of 28 images``."""
        unit = "frame" if self.frames else "image"
        return f"{self.analysed} of {self.total} {unit}{'s' if self.total != 1 else ''}"

    @property
    def reasons(self) -> tuple[tuple[str, Unseen], ...]:
        """Why images were left out, in words that follow a number, and which."""
        said = (
            (UNREADABLE, self.left_out.unreadable),
            (OTHER_ORIENTATION, self.left_out.other_orientation),
            (THINNED, Unseen(self.left_out.thinned)),
        )
        return tuple((words, unseen) for words, unseen in said if unseen.count)

    @property
    def remark(self) -> str:
        """Say what was not analysed: ``27 of 28 images analysed, 1 unreadable``; "" if nothing."""
        causes = [f"{unseen.count} {words}" for words, unseen in self.reasons]
        return f"{self.extent} analysed, {', '.join(causes)}" if causes else ""

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
        return (self.sentence, *said) if said or series else ()
