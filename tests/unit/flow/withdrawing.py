"""A study whose results lie in an archive and in a folder, and what is done when they go back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, FolderPeer, Peer, Rule
from pacs_ai.domain import ResultKind, TaskKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.operate import withdrawals
from pacs_ai.flow.operate.withdrawals import WithdrawalRecord
from pacs_ai.flow.withdraw import withdraw
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import studies
from pacs_ai.store.schema import Study
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.unit.flow.analysed import Patient, demo

KINDS = (ResultKind.REPORT, ResultKind.CAPTURE, ResultKind.HL7, ResultKind.FHIR)


@dataclass
class Withdrawing(Patient):
    """One study (row id 1), analysed; nothing of it is sent yet."""

    def take_back(
        self, reason: RejectionReason = RejectionReason.QUALITY, **keywords: str
    ) -> WithdrawalRecord:
        return withdrawals.withdraw_results(self.context, "1", reason, **keywords)

    def tell(self) -> None:
        """Make the notices that are due, and send what can be sent."""
        withdraw(self.context, "1")
        self.send()

    def send(self) -> None:
        with self.context.database.read() as session:
            waiting = sorted(self.context.engine.existing(session, TaskKind.DELIVER))
        for key in {*waiting, *(pair_key(j.id, p) for j in self.jobs() for p in self.peers())}:
            deliver(self.context, key)

    def peers(self) -> list[str]:
        return list(self.context.config.peers)

    def outcomes(self) -> dict[str, list[tuple[str, int, str]]]:
        """What became of the newest withdrawal, by destination: way, results, state."""
        found: dict[str, list[tuple[str, int, str]]] = {}
        for one in withdrawals.list_withdrawals(self.context, "1")[-1].outcomes:
            found.setdefault(one.destination, []).append((one.way, one.results, one.state))
        return found

    def again(self) -> None:
        """Apply the rules again, and analyse."""
        with self.context.write() as transaction:
            studies.reopen(transaction, transaction.get_one(Study, 1), note="reroute")
        self.route()
        analyse(self.context, {"demo": demo()}, self.jobs()[-1].id)


Send = Callable[..., StoreAnswer]


def analysed(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset, peers: dict[str, Peer]
) -> Withdrawing:
    """Receive a study and analyse it for some peers."""
    assert send(ct).status == 0x0000
    rule = Rule(name="all", model="demo", send_to=tuple(peers), results=KINDS)
    config = Config(storage=context.config.storage, peers=peers, rules=(rule,))
    one = Withdrawing(replace(context, config=config), clock)
    one.route()
    one.analyse()
    return one


def folder_peer(path: Path, **keys: object) -> FolderPeer:
    path.mkdir(exist_ok=True)
    return FolderPeer.model_validate({"kind": "folder", "path": path, **keys})
