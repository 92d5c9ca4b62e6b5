"""What every step needs of the node around it."""

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from pacs_ai.clock import Clock
from pacs_ai.config import Config
from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.engine.base import Engine
from pacs_ai.flow.destination_limits import DestinationLimits
from pacs_ai.flow.recent import Recent
from pacs_ai.flow.seen_series import SeenSeries
from pacs_ai.logs import keyed_hash
from pacs_ai.net.scu.kept_associations import KeptAssociations
from pacs_ai.results.common.context import installation_uid
from pacs_ai.store.identities import Stated
from pacs_ai.store.session import BUSY_SECONDS, Database, Transaction
from pacs_ai.store.spool import Spool


class RulesInForce:
    """The configuration with the rules in force, and their revision; threads share it.

    Attributes
    ----------
    known
        Revision and configuration: 0 and None until this process has read rules.
    looked_at
        When `pacs_ai.flow.current_rules.recent_rules` has compared them last, monotonic.
    """

    def __init__(self) -> None:
        self.known: tuple[int, Config | None] = (0, None)
        self.looked_at = float("-inf")


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The node as the steps see it.

    Parameters
    ----------
    owner
        Who acts, ``node/boot/process``: holder of leases and name in the audit trail.
    user
        The person who acts, if one does: an account of the system, or a token's name.
    address
        Where the request of this person came from, if it came by network.
    secret
        Key of the hashes that stand for patients and studies.
    stopping
        Set when the node stops and cuts its associations: what fails then says nothing of a peer.
    associations
        Those with archives that stay open between two deliveries.
    accesses
        Who has lately looked at what.
    seen_series
        The series of which this process has received an image.
    limits
        What holds deliveries to a destination back.
    in_force
        The configuration with the rules of the last reload, see `pacs_ai.flow.current_rules`.
    commitment_limits
        The same for its questions whether archives keep what they got.
    """

    config: Config
    database: Database
    spool: Spool
    engine: Engine
    clock: Clock
    owner: str
    secret: bytes
    stopping: threading.Event = field(default_factory=threading.Event)
    associations: KeptAssociations = field(default_factory=KeptAssociations)
    accesses: Recent = field(default_factory=Recent)
    seen_series: SeenSeries = field(default_factory=SeenSeries)
    limits: DestinationLimits = field(default_factory=DestinationLimits)
    in_force: RulesInForce = field(default_factory=RulesInForce)
    commitment_limits: DestinationLimits = field(default_factory=DestinationLimits)
    user: str = ""
    address: str = ""

    def now(self) -> datetime:
        """Date and time, UTC."""
        return self.clock.now()

    def write(
        self,
        actor: str | None = None,
        *,
        busy_seconds: float = BUSY_SECONDS,
        durable: bool = True,
    ) -> AbstractContextManager[Transaction]:
        """Begin a transaction that changes rows now.

        Parameters
        ----------
        actor
            Who acts, if it is not this process.
        busy_seconds, durable
            See `Database.write`, also for the errors.
        """
        who = self.owner if actor is None else actor
        return self.database.write(
            who,
            self.now(),
            busy_seconds=busy_seconds,
            durable=durable,
            user=self.user,
            address=self.address,
        )

    def patient_key(self, patient_id: str) -> str:
        """Return what stands for a PatientID in the database."""
        return keyed_hash(self.secret, f"patient|{patient_id.strip()}")

    def identity(self, study_instance_uid: str, patient: PatientIdentity) -> Stated:
        """Return what stands in the database for what an instance says of its patient.

        Hashes of one study are not comparable with those of another: who has only the database
        cannot count how many patients share a sex or a birth date.
        """
        stated = patient.stated()
        digest = keyed_hash(self.secret, f"{study_instance_uid}|{sorted(stated.items())}")
        return Stated(
            digest,
            {
                field: keyed_hash(self.secret, f"{study_instance_uid}|{field}|{value}")
                for field, value in stated.items()
            },
        )

    def accession_key(self, accession_number: str) -> str:
        """Return what stands for an accession number in the database."""
        return keyed_hash(self.secret, f"accession|{accession_number.strip()}")

    def body_part_key(self, body_part: str) -> str:
        """Return what stands for a body part in the database: a sender may write any text there."""
        return keyed_hash(self.secret, f"body part|{body_part}")

    def installation_uid(self) -> str:
        """Return the UID of this installation, the observer of every report."""
        return installation_uid(self.secret)


JOINT = ":"
"""What joins the two parts of a task's key."""


def pair_key(first: object, second: object) -> str:
    """Join the two parts of a task's key."""
    return f"{first}{JOINT}{second}"


def split_pair(key: str) -> tuple[str, str]:
    """Take a task's key apart again."""
    first, _, second = key.partition(JOINT)
    return first, second
