"""``[[rules]]``: which models see a study, and where their results go."""

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pacs_ai.config.completeness import StudyTiming
from pacs_ai.config.conditions import Group, When, tree
from pacs_ai.config.off_peak import OffPeak
from pacs_ai.config.peers import Peer
from pacs_ai.config.sections import Section
from pacs_ai.domain import ResultKind

BACK_TO_SENDER = "@sender"
"""In ``send_to``: the peer that sent the study."""

Orientation = Literal["axial", "coronal", "sagittal", "oblique"]


def _models(given: str | tuple[str, ...]) -> str | tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not names or len(set(names)) < len(names):
        raise ValueError("must name one model, or several that differ")
    return given


def _listed(given: object) -> object:
    return (given,) if isinstance(given, str) else given


class Routing(Section):
    """``[routing]``: what is decided of a study beside the rules."""

    urgent: When = Field({})
    """Conditions, as ``when`` of a rule has them: studies for which they hold are urgent, whatever
    rules they match. Empty: none."""
    unmatched: Literal["keep", "drop"] = "keep"
    """What becomes of a study that no rule matches: kept for its time, or its files removed."""


class SeriesChoice(Section):
    """``series`` of a rule: which series of a study its models are shown.

    A series is chosen if enough of its images meet the conditions. A study without such a series
    does not match the rule.
    """

    orientation: Annotated[tuple[Orientation, ...], BeforeValidator(_listed)] = ()
    """Plane of the images, or a list of planes; not set: any."""
    min_images: int = Field(1, ge=1)
    """So many images of the series must meet the conditions."""
    when: When = Field({})
    """Conditions on the attributes of an image, as ``when`` of the rule has them."""


class Priors(Section):
    """``priors`` of a rule: reports state the change since the result of an earlier study.

    Compared are studies of the same patient and of the same kind of examination, by the same
    version of the model; see docs/rules.md.
    """

    months: int = Field(36, ge=1, le=1200)
    """How old an earlier study may be."""
    analyse: bool = False
    """Whether earlier studies that the model has not analysed in this version are analysed now."""
    peer: str = ""
    """The archive that is asked for them and that they are fetched from; "": only what is here."""
    count: int = Field(1, ge=1, le=10)
    """So many of the latest earlier studies are analysed."""
    wait_seconds: float = Field(120, ge=0, le=3600)
    """How long a job waits for that; then it goes on without. Urgent ones do not wait."""
    send: bool = False
    """Whether the results of earlier studies go where those of the rule go; otherwise nowhere."""

    @property
    def wait(self) -> timedelta:
        """How long a job waits."""
        return timedelta(seconds=self.wait_seconds)

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        """Refuse keys that mean nothing without ``analyse``."""
        others = {"peer", "count", "wait_seconds", "send"} & self.model_fields_set
        if others and not self.analyse:
            raise ValueError(f"{', '.join(sorted(others))}: only with analyse = true")
        return self


class Rule(StudyTiming):
    """``[[rules]]``: which models see a study, when it is complete, where their results go."""

    name: str = Field(min_length=1, max_length=64)
    """For people and logs."""
    model: Annotated[str | tuple[str, ...], AfterValidator(_models)]
    """Name of a ``[models.x]`` entry, or a list of them: each makes a job."""
    send_to: tuple[str, ...] = ()
    """Names of peers, and ``"@sender"`` for the one that sent the study; empty keeps the results in
    the spool."""
    priority: Literal["urgent", "routine", "low"] = "routine"
    """In which order jobs begin and results are sent."""
    results: tuple[ResultKind, ...] = Field((ResultKind.REPORT, ResultKind.CAPTURE), min_length=1)
    """What is made."""
    when_not_analysable: Literal["nothing", "report"] = "nothing"
    """``report`` makes what of ``results`` can say why there is no score."""
    off_peak: OffPeak | None = None
    """When its jobs may begin, unless the study is urgent; not set: at any time."""
    when: When = Field({})
    """Conditions on the data set and on the sender, see `pacs_ai.config.conditions`; all of them
    must hold."""
    series: SeriesChoice | None = None
    """Which series the models are shown; not set: the node chooses of all."""
    priors: Priors | None = None
    """Whether reports state the change since an earlier study; not set: they do not."""

    @property
    def models(self) -> tuple[str, ...]:
        """The models by their names."""
        return (self.model,) if isinstance(self.model, str) else self.model

    @cached_property
    def condition(self) -> Group:
        """What ``when`` asks for."""
        return tree(self.when)


def rule_label(number: int, rule: Rule | None = None) -> str:
    """Return what messages call a rule, by its place in the file, from 1, and by its name."""
    return f"[[rules]] number {number}" + (f" ({rule.name!r})" if rule is not None else "")


def sent_to(rule: Rule, peer: Peer) -> tuple[ResultKind, ...]:
    """Return the kinds that a peer gets of a rule: the rule's, narrowed by the peer's."""
    kinds = rule.results if peer.results is None else peer.results
    return tuple(kind for kind in rule.results if kind in kinds and kind in peer.takes)
