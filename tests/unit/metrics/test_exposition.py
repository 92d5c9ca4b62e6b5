"""What Prometheus reads: names, values, and nothing that tells who a patient is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pacs_ai
from pacs_ai.config.sections import Tls
from pacs_ai.errors import DatabaseBusy
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.metrics.exposition import Metrics
from pacs_ai.store.session import Database
from tests.pki import Authority
from tests.unit.flow.ready import dimse, ready
from tests.unit.metrics.reading import values


def test_the_listener_is_read_from_its_file(context: FlowContext) -> None:
    meter = TrafficMeter(context.spool, "daemon")
    meter.begin()
    meter.opened()
    meter.stored(0, 1000, 0.003)
    meter.refused(0xA700)
    found = values(Metrics(context))
    assert found["pacs_ai_associations_total",] == found["pacs_ai_associations_open",] == 1
    assert found["pacs_ai_store_answers_total", "0000"] == 1
    assert found["pacs_ai_store_answers_total", "A700"] == 1
    assert found["pacs_ai_received_bytes_total",] == 1000
    assert found["pacs_ai_store_seconds_bucket", "0.0025"] == 0
    assert found["pacs_ai_store_seconds_bucket", "0.005"] == 1
    assert found["pacs_ai_store_seconds_count",] == 1


def test_rows_are_counted_and_aged(context: FlowContext) -> None:
    node = ready(context, {"pacs": dimse(104)}).context
    node.clock.sleep(90)
    found = values(Metrics(node))
    assert found["pacs_ai_jobs_total", "demo", "succeeded"] == 1
    assert found["pacs_ai_deliveries_total", "pacs", "pending"] == 2
    assert found["pacs_ai_deliveries_open", "pacs", "pending"] == 2
    assert found["pacs_ai_deliveries_oldest_seconds", "pacs", "pending"] == 90
    assert found["pacs_ai_stage_seconds_count", "demo", "analyse"] == 1
    assert found["pacs_ai_changes_not_counted",] == 0
    assert found["pacs_ai_database_up",] == found["pacs_ai_spool_up",] == 1
    assert found["pacs_ai_spool_free_bytes",] > 0
    assert found["pacs_ai_info", pacs_ai.__version__] == 1


def test_totals_go_on_after_a_restart(context: FlowContext) -> None:
    node = ready(context, {"pacs": dimse(104)}).context
    first = Metrics(node)
    before = values(first)
    node.clock.sleep(3600)
    values(first)  # keeps the totals
    assert (node.spool.home / "totals.json").exists()
    again = values(Metrics(node))
    totals = [key for key in before if key[0].endswith("_total")]
    assert {key: again[key] for key in totals} == {key: before[key] for key in totals}


def test_without_a_database_the_rest_is_told(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = ready(context, {"pacs": dimse(104)}).context
    metrics = Metrics(node)
    before = values(metrics)

    def busy(_self: Database) -> None:
        raise DatabaseBusy("the database did not answer in time")

    monkeypatch.setattr(Database, "read", busy)
    found = values(metrics)
    assert found["pacs_ai_database_up",] == 0
    key = ("pacs_ai_jobs_total", "demo", "succeeded")
    assert found[key] == before[key]


def test_the_end_of_certificates_is_told(context: FlowContext, tmp_path: Path) -> None:
    pair = Authority(tmp_path).self_signed("node")
    tls = Tls(certificate=pair.certificate, key=pair.key)
    node = replace(context, config=context.config.model_copy(update={"tls": tls}))
    end = values(Metrics(node))["pacs_ai_certificate_valid_until_seconds", "tls.certificate"]
    assert datetime.fromtimestamp(end, UTC) > datetime.now(UTC) + timedelta(hours=1)


def test_nothing_names_a_study_or_a_sender(context: FlowContext) -> None:
    node = ready(context, {"pacs": dimse(104)}).context
    text = Metrics(node).text()[0].decode()
    for secret in ("1.2.3", "MODALITY", "p1", "acc"):
        assert f'"{secret}' not in text


def test_the_format_is_chosen_by_the_request(context: FlowContext) -> None:
    metrics = Metrics(context)
    assert metrics.text()[1].startswith("text/plain")
    text, media_type = metrics.text("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
