"""Moments on the command line: so long from now, or a time."""

import pytest

from api.cli.durations import until_ms
from schemas.settings import SettingsError
from schemas.times import DAY_MS

NOW_MS = 1_764_547_200_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("14d", NOW_MS + 14 * DAY_MS),
        (" 90m ", NOW_MS + 90 * 60_000),
        ("2025-12-01T00:00:01Z", NOW_MS + 1000),
        ("2025-12-01T01:00:00+01:00", NOW_MS),
        (str(NOW_MS + 5000), NOW_MS + 5000),
    ],
)
def test_end_is_so_long_from_now_or_a_time(text: str, ms: int) -> None:
    assert until_ms(text, "--until", NOW_MS) == ms


@pytest.mark.parametrize("text", ["", "tomorrow", "0d", "-1d", "d", "2025-12-01", "2025-12-01T00:00:00"])
def test_what_is_neither_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--until: "):
        until_ms(text, "--until", NOW_MS)
