"""What a result states besides the prediction: installation, software, time, settings."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from pacs_ai import __version__
from pacs_ai.config import Config
from pacs_ai.domain import ModelIdentity, ResultKind
from pacs_ai.logs import keyed_hash
from pacs_ai.results.common.environment import environment
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.prior import Prior
from pacs_ai.uids import derived_uid

MANUFACTURER = "pacs-ai"
MODEL_NAME = "pacs-ai node"

FORM = "results 8"
"""Version of the results' form; goes into every result UID, so that two forms can coexist."""

_MINUTES_IN_DAY = 24 * 60
_OFFSET_LENGTH = len("+0000")


@dataclass(frozen=True, slots=True)
class ResultContext:
    """Everything besides prediction and source that the bytes of a result depend on.

    Parameters
    ----------
    site
        Distinguishes installations that serve one archive; part of every UID. Empty by default.
    installation_uid
        UID of this installation: the observer of every report.
    software_version
        Version of this program.
    created_at
        When the job was started, with a time zone; the only clock reading in a result. Where there
        is no job, when the first image came into being (``like_images``).
    settings_hash
        Hash of all settings and software that shape results; part of every UID.
    series_number_base
        Series number of the reports; the other kinds take the next ones.
    like_images
        Whether ``created_at`` is that of the images.
    predecessor
        Report of an earlier revision of the study, which the new one replaces.
    earlier_bundle
        UID of the FHIR bundle of an earlier revision, which the new one replaces; "" without one.
    corrects_message
        Whether an HL7 message of an earlier revision, which still holds, is replaced.
    identity
        Digest of whom the results name, and how often results were withdrawn; part of every UID. It
        is "" for a study that was never corrected, and of which nothing was withdrawn.
    font
        TrueType font for names on a page that the shipped font has no letters for.
    name_patient
        Whether a FHIR bundle states the patient's name.
    prior
        The result of an earlier study, to compare with.
    prior_missing
        Why there is none to compare with although one was waited for; "" if nothing is to be said.
    """

    site: str
    installation_uid: str
    software_version: str
    created_at: datetime
    settings_hash: str
    series_number_base: int = 9001
    like_images: bool = False
    predecessor: Predecessor | None = None
    earlier_bundle: str = ""
    corrects_message: bool = False
    identity: str = ""
    font: Path | None = None
    name_patient: bool = False
    prior: Prior | None = None
    prior_missing: str = ""

    def made_at(self, offset: str) -> datetime:
        """Tell when results are made, in the time zone of the source: see `local_time`.

        Results that are dated like their images keep that time if the images state no zone.
        """
        if self.like_images and not offset:
            return self.created_at
        return local_time(self.created_at, offset)

    def series_number(self, kind: ResultKind) -> int:
        """Series number of a kind of result: each has its own series."""
        return self.series_number_base + tuple(ResultKind).index(kind)

    def series_key(self, model: ModelIdentity, role: str, study_uid: str) -> tuple[str, ...]:
        """Key that a result series' UID, and what lies in the series, is derived from.

        Archives drop an object whose UID they know: results of a study whose patient was corrected
        need others than those made before. What computes the network is part of the key, and so is
        what it computes for a probe: another library, processor or number of threads may round
        otherwise.
        """
        return (
            self.site,
            model.name,
            model.version,
            model.sha256,
            model.manifest_sha256,
            model.runtime,
            model.probe_sha256,
            self.settings_hash,
            role,
            study_uid,
            *((self.identity,) if self.identity else ()),
            *((self.prior.key,) if self.prior is not None else ()),
            *((self.prior_missing,) if self.prior_missing else ()),
        )


def result_context(
    config: Config,
    installation_uid: str,
    created_at: datetime,
    predecessor: Predecessor | None = None,
) -> ResultContext:
    """Return the context of results made under a configuration, on this machine."""
    shaped_by = "|".join([FORM, environment(), config.results.model_dump_json()])
    return ResultContext(
        site=config.node.site,
        installation_uid=installation_uid,
        software_version=__version__,
        created_at=created_at,
        settings_hash=hashlib.sha256(shaped_by.encode()).hexdigest(),
        predecessor=predecessor,
        font=config.results.font,
        name_patient=config.results.patient_name_in_fhir,
    )


def installation_uid(secret: bytes) -> str:
    """Return the UID of the installation that has this secret, the observer of every report."""
    return derived_uid("installation", keyed_hash(secret, "installation"))


def own_result(manufacturer: str, model_name: str) -> bool:
    """Tell whether an object with this equipment is a result of ours: it is never classified.

    Parameters
    ----------
    manufacturer
        Manufacturer (0008,0070).
    model_name
        Manufacturer's Model Name (0008,1090).
    """
    return (manufacturer.strip(), model_name.strip()) == (MANUFACTURER, MODEL_NAME)


def local_time(moment: datetime, offset: str) -> datetime:
    """Express a moment in the time zone of the source.

    Parameters
    ----------
    moment
        With a time zone.
    offset
        Timezone Offset From UTC (0008,0201) of the source, ``&ZZXX``; where it is empty the
        machine's own zone holds, as the standard reads times without an offset.

    Notes
    -----
    PS3.3 Section C.12.1.1.8. An offset that makes no sense counts as UTC.
    """
    if not offset:
        return moment.astimezone()
    return moment.astimezone(zone_of(offset))


def zone_of(offset: str) -> timezone:
    """Time zone of an offset ``&ZZXX``; UTC for one that makes no sense."""
    digits = offset[1:]
    if len(offset) != _OFFSET_LENGTH or offset[0] not in "+-" or not digits.isdecimal():
        return UTC
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes >= _MINUTES_IN_DAY:
        return UTC
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
