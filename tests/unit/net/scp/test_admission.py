"""How many associations an address may make."""

from pacs_ai.net.scp.admission import RateLimit


def test_rates_recover() -> None:
    rate = RateLimit(6)
    assert [rate.allows("a", 100.0) for _ in range(8)] == [True] * 6 + [False] * 2
    assert rate.allows("b", 100.0)
    assert not rate.allows("a", 105.0)
    assert rate.allows("a", 110.1)
    assert not rate.allows("a", 110.2)
    assert [rate.allows("a", 900.0) for _ in range(7)] == [True] * 6 + [False]
