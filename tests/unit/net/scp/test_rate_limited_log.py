"""Warnings that strangers can cause."""

from structlog.testing import capture_logs

from pacs_ai.net.scp.rate_limited_log import RateLimitedLog


def test_warnings_are_few() -> None:
    now = [0.0]
    log = RateLimitedLog(lambda: now[0])
    with capture_logs() as said:
        for _ in range(100):
            log.warning("stranger at the door")
        now[0] = 11
        log.warning("stranger at the door")
    assert len(said) == 6
    assert said[-1]["unsaid"] == 95
