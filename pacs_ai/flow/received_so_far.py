"""What has arrived of the studies that are being received, for settings that ask for it."""

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pacs_ai.config import Config, Rule
from pacs_ai.config.completeness import Patterns, Required
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.dicom.header import read_facts
from pacs_ai.domain import StudyId
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.study_matching import matching_rules
from pacs_ai.store import instances
from pacs_ai.store.completeness import Revision
from pacs_ai.store.schema import Instance, Study


@dataclass(frozen=True, slots=True)
class _Kind:
    """What images have in common for ``complete_when``."""

    series: str
    modality: str
    description: str
    image_type: str


@dataclass(slots=True)
class _Seen:
    """What is known of a revision, up to the instance whose row has this id."""

    last: int = 0
    rules: set[str] = field(default_factory=set)
    images: Counter[_Kind] = field(default_factory=Counter)


class ReceivedSoFar:
    """Reads the header of each instance once, and none where no setting asks for it.

    It keeps nothing that a restart would lose: the headers are read again then.

    Attributes
    ----------
    context
        The node, with the rules in force.
    """

    def __init__(self, context: FlowContext) -> None:
        self.context = context
        self._config: Config | None = None
        self._rules: tuple[Rule, ...] = ()
        self._counts = False
        self._reads = False
        self._seen: dict[Revision, _Seen] = {}

    def forget(self, others_than: Collection[Revision]) -> None:
        """Forget what is known of revisions that are closed, or read with other settings."""
        config = self.context.config
        if config is not self._config:
            self._config = config
            self._seen.clear()
            # whether enough images of a series are there is not known while they arrive
            timed = [rule for rule in config.rules if rule.said]
            self._rules = tuple(rule.model_copy(update={"series": None}) for rule in timed)
            required = list(_required(config))
            self._counts = bool(required)
            self._reads = any(one.description or one.image_type for one in required)
        for gone in self._seen.keys() - set(others_than):
            del self._seen[gone]

    def timings(self, study: Study) -> list[Timing]:
        """Return the settings that a study has to satisfy, all of them.

        These are the settings of each rule that has some and that an instance of the study matches;
        without such a rule, those of the sender and the modality.
        """
        seen = self._look(study)
        way = study.calling_aet, study.modality
        config = self.context.config
        narrowed = [config.timing(*way, rule) for rule in self._rules if rule.name in seen.rules]
        return narrowed or [config.timing(*way)]

    def missing(self, study: Study, timing: Timing) -> list[str] | None:
        """Say what of ``complete_when`` is not there yet; None if nothing is required."""
        if not timing.complete_when:
            return None
        images = self._look(study).images
        return [said for one in timing.complete_when if (said := _lack(one, images))]

    def _look(self, study: Study) -> _Seen:
        """Take the instances into account that have arrived since the last look."""
        seen = self._seen.setdefault((StudyId(study.id), study.revision), _Seen())
        if not self._rules and not self._counts:
            return seen
        with self.context.database.read() as session:
            rows = instances.after(session, StudyId(study.id), seen.last)
        usable = [row for row in rows if not row.unusable_reason]
        open_rules = tuple(rule for rule in self._rules if rule.name not in seen.rules)
        try:
            matched = self._matched(study, usable, open_rules)
            kinds = [self._kind(row) for row in usable] if self._counts else []
        except StorageError:
            return seen  # the next look reads them again; the longest wait ends all the same
        seen.rules |= matched
        seen.images.update(kinds)
        seen.last = max((row.id for row in rows), default=seen.last)
        return seen

    def _matched(
        self, study: Study, usable: Sequence[Instance], rules: tuple[Rule, ...]
    ) -> set[str]:
        if not usable or not rules:
            return set()
        config = self.context.config.model_copy(update={"rules": rules})
        found = matching_rules(replace(self.context, config=config), study, usable)
        return {rule.name for rule in found.rules}

    def _kind(self, row: Instance) -> _Kind:
        facts: dict[str, str | list[str]] = {}
        if self._reads:
            path = self.context.spool.path_of(row.path)
            try:
                facts = read_facts(path, ("SeriesDescription", "ImageType"))
            except NotDicom:
                facts = {}
        described, kind = facts.get("SeriesDescription", ""), facts.get("ImageType", "")
        return _Kind(row.series_instance_uid, row.modality, _text(described), _text(kind))


def _required(config: Config) -> Iterable[Required]:
    sections = (config.study, *config.study.modality.values(), *config.rules)
    for timing in (*sections, *config.dimse_peers.values()):
        yield from timing.complete_when or ()


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\\".join(value)


def _lack(required: Required, images: Counter[_Kind]) -> str:
    """Say what is not there of one entry; "" if it is there."""
    found = {
        kind: count
        for kind, count in images.items()
        if _fits(required.description, kind.description)
        and _fits(required.modality, kind.modality)
        and _fits(required.image_type, kind.image_type)
    }
    count, series = sum(found.values()), len({kind.series for kind in found})
    if count >= required.images and series >= required.series:
        return ""
    of_series = f" of {series} of {required.series} series" if required.series > 1 else ""
    return f"{required}: {count} of {required.images} images{of_series}"


def _fits(patterns: Patterns | None, value: str) -> bool:
    if patterns is None:
        return True
    wanted = (patterns,) if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in wanted)
