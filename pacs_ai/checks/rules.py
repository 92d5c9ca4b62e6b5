"""Rules that would match nothing."""

from collections.abc import Iterator

from pacs_ai.checks.finding import Finding, doubtful, wrong
from pacs_ai.config import Config
from pacs_ai.flow import rule_check


def rules(config: Config) -> Iterator[Finding]:
    """Look at every condition of every rule."""
    remedy = "correct the condition: a literal, or a glob with *, ? and [..]; case counts"
    errors = [wrong("rules", str(fault), remedy) for fault in rule_check.impossible(config)]
    warnings = [doubtful("rules", str(fault), remedy) for fault in rule_check.doubtful(config)]
    yield from errors or [Finding("rules", f"{len(config.rules)} in order")]
    yield from warnings
