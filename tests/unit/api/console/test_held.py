"""What a hold says of each who is held: the figures of the worst alert, and what brought most of it."""

from typing import Any

import msgspec

from api.console.held import figures
from schemas.alert import AlertData, Evidence, Share
from tests.support.told import told_alert


def held(**changes: Any) -> AlertData:
    """An alert of 142 failures of 1,000."""
    return msgspec.structs.replace(told_alert("opened", "critical", held=True).data, **changes)


def test_figures_are_the_worst_alerts_in_words() -> None:
    milder = held(level="excessive", rule="complaint", metric="complaint", rate=0.9, threshold=0.003)
    stream = held(scope="stream:news", rate=0.9)
    found = figures([milder, stream, held()])
    assert (found.rule, found.scope, found.others) == ("failure", "customer", 2)
    assert (found.rate, found.between, found.threshold) == ("14.20 %", "12.00 % to 16.00 %", "10.00 %")
    assert (found.counted, found.window) == ("142 of 1,000", "24h")


def test_metrics_that_are_no_rate_say_what_they_count() -> None:
    listed = figures([held(metric="critical_listing", numerator=2, denominator=1, rate=2.0, threshold=1.0)])
    assert (listed.rate, listed.between, listed.counted, listed.threshold) == ("2", "", "2", "1")
    burnt = figures([held(metric="failure_burn", rate=14.42, lower=12.0, upper=16.0, threshold=14.4)])
    assert (burnt.rate, burnt.between, burnt.threshold) == ("14.4 times", "12.0 times to 16.0 times", "14.4 times")
    spike = figures([held(metric="volume_spike", numerator=9_000, denominator=400, rate=12.0, threshold=6.0)])
    assert (spike.between, spike.counted) == ("", "9,000, usually 400")


def test_causes_are_what_brought_at_least_half_of_it() -> None:
    evidence = Evidence(
        bounce_classes=(Share(name="invalid_recipient", count=140), Share(name="bad_domain", count=2)),
        providers=(Share(name="gmail", count=60, volume=500), Share(name="yahoo", count=71, volume=100)),
        campaigns=(Share(name="", count=142),),
        from_domains=(Share(name="shop.example", count=20),),
    )
    assert figures([held(evidence=evidence)]).causes == ("invalid recipient: 140", "at yahoo: 71")
    named = Evidence(listings=("192.0.2.1 on zen.spamhaus.org",))
    assert figures([held(metric="critical_listing", evidence=named)]).causes == ("192.0.2.1 on zen.spamhaus.org",)
