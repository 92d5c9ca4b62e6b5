"""What was done in each minute, on both databases."""

from datetime import timedelta

from pacs_ai.domain import DeliveryState
from pacs_ai.store import deliveries
from pacs_ai.store.schema import Event, Instance
from pacs_ai.store.session import Database
from pacs_ai.store.throughput import Position, counts, position, report_times
from tests.unit.store import samples
from tests.unit.store.conftest import NOW


def test_what_came_is_counted_by_minute(database: Database) -> None:
    with database.write("node", NOW) as transaction:
        samples.analysed_job(transaction)
    with database.read() as session:
        begin = position(session, NOW - timedelta(hours=1), Position())
        found = {(name, at.minute): count for name, at, count in counts(session, begin)}
        assert found == {("images", 4): 1, ("studies", 4): 1, ("analyses", 4): 1}
        later = position(session, NOW + timedelta(hours=1), begin)
        assert list(counts(session, later)) == []
        assert position(session, NOW, Position()) == begin


def test_the_begin_is_found_by_halves(database: Database) -> None:
    with database.write("node", NOW) as transaction:
        for number in range(1, 40):
            transaction.now = NOW + timedelta(minutes=number)
            samples.add_instance(transaction, samples.arrival(number), samples.sender())
        for row in transaction.query(Instance).filter(Instance.id % 3 == 0):
            transaction.delete(row)  # ids may be missing
    with database.read() as session:
        begin = position(session, NOW + timedelta(minutes=20), Position())
        found = [at for name, at, _ in counts(session, begin) if name == "images"]
        rows = session.query(Instance).filter(Instance.received_at >= NOW + timedelta(minutes=20))
        assert len(found) == rows.count() > 0


def test_a_report_counts_when_it_is_delivered(database: Database) -> None:
    with database.write("node", NOW) as transaction:
        job_id = samples.analysed_job(transaction)
        transaction.now = NOW + timedelta(seconds=5)
        [claimed] = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
        assert deliveries.stored(transaction, claimed, status=0, note="")
    with database.read() as session:
        begin = position(session, NOW, Position())
        states = session.query(Event).filter(Event.to_state == DeliveryState.STORED)
        assert states.count() == 1
        assert [seconds for _, seconds in report_times(session, begin)] == [5.0]
