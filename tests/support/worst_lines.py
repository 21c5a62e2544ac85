"""A line of the worst customers, and names that break tables."""

from api.explain.worst import WorstLine, WorstRate

NOW_MS = 1_757_675_281_000
UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
NAMES = {
    "one character": "a",
    "UUID": UUID,
    "256 characters": "longest-" + "x" * 240 + "-customer"[:8],
    "CJK": "株式会社メール配信サービス東京本社営業部",
    "256 CJK bytes": "東" * 85,
    "accents": "e\u0301" * 60,
    "markup": "[red]evil[/red] :cat: [link=http://x]y[/link]",
    "escapes": "evil\x1b[2J\x9b31m\r\nALERT forged\u202e",
}
LINE = WorstLine(
    customer="acme", scope="customer", standing="critical", since_ms=NOW_MS - 5 * 3_600_000, rule="failure",
    overridden=False, volume=12_345,
    complaint=WorstRate(0.0012, (12, 10_000)), failure=WorstRate(0.151, (1_864, 12_345)),
    block=WorstRate(0.02, (247, 12_345)), exposure=WorstRate(0.0, (0, 12_345)), score=12,
)  # fmt: skip
