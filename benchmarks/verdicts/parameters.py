"""What senders are like, and where that is known from.

Sources. Bounces: Campaign Monitor, "Ultimate Email Marketing Benchmarks" (2020): 0.7 % on average over all industries,
0.3 % (food and beverage) to 2.2 % (construction) by industry. Complaints: the same, 2018: below 0.01 % in nearly all
industries; Gmail asks to stay below 0.1 % (https://support.google.com/a/answer/81126). Time until mail is given up: RFC
5321, section 4.5.4.1, four to five days at least; Postfix and others send again for up to five, many ESPs for three.
Thresholds and representative volume: https://docs.aws.amazon.com/ses/latest/dg/reputation-dashboard-dg.html and
https://aws.amazon.com/blogs/messaging-and-targeting/announcing-the-reputation-dashboard/. Where nothing is published
(noise between mailings, lags of complaints, shares of providers) the number is an assumption, and says so.
"""

from typing import Literal, NamedTuple

Sending = Literal["steady", "daily", "weekly", "monthly"]
SENDINGS: tuple[Sending, ...] = ("steady", "daily", "weekly", "monthly")


class Size(NamedTuple):
    """Recipients a month, from and to."""

    name: str
    least: float
    most: float


SIZES = (
    Size("100 to 1k", 100, 1_000),
    Size("1k to 10k", 1_000, 10_000),
    Size("10k to 100k", 10_000, 100_000),
    Size("100k to 1M", 100_000, 1_000_000),
    Size("above 1M", 1_000_000, 4_000_000),
)
#: Sizes of which the issue speaks apart.
LARGE = ("100k to 1M", "above 1M")

#: Medians of a customer's true rates (ratios), how wide customers differ (standard deviation of the logarithm), and the
#: most a clearly good one has: half of the mildest default threshold.
FAILING, FAILING_SPREAD, MOST_FAILING = 0.006, 0.6, 0.015
COMPLAINING, COMPLAINING_SPREAD, MOST_COMPLAINING = 0.00015, 0.8, 0.0005
BLOCKED, BLOCKED_SPREAD, MOST_BLOCKED = 0.004, 1.0, 0.05
#: Of what fails, so much is given up after days, from and to (assumed).
EXPIRING = (0.1, 0.6)
#: How much the rates of one day's mail differ from the customer's own: standard deviation of the logarithm (assumed).
JITTER = 0.3
#: The same of a mailing's volume.
VOLUME_JITTER = 0.2
#: Of hard bounces so many are reported after a delivery, by the median of so many hours (assumed, log-normal).
LATE_HARD, LATE_HARD_H, LATE_HARD_SPREAD = 0.1, 6.0, 1.0
#: Mail is given up after so many hours; complaints come after so many (median, log-normal; assumed).
EXPIRED_H = 72.0
COMPLAINED_H, COMPLAINED_SPREAD = 8.0, 1.2
#: Of deliveries so many are deferred first, for so many minutes on average (greylisting: RFC 6647, 5 minutes and more).
DEFERRED, DEFERRED_MIN = 0.03, 30.0
#: Share of the mail that goes to providers with a feedback loop: a beta distribution around Yahoo's and Microsoft's
#: 32 % together (assumed).
LOOPED_SHARE = (6.4, 13.6)
#: Of those who send mailings half have a little mail besides, up to this share of all.
MOST_BESIDES = 0.05
#: A mailing takes so many minutes, from and to.
MAILING_MIN = (20, 60)
#: How the day's mail lies: it swings by so much around its mean.
DAY_SWING = 0.6
