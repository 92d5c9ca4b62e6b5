"""Read what `pacs_ai.metrics` exposes, with the parser of prometheus_client."""

from prometheus_client.parser import text_string_to_metric_families

from pacs_ai.metrics.exposition import Metrics


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return all samples by name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text()[0].decode())
        for sample in family.samples
    }
