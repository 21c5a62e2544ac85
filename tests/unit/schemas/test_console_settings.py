"""Settings of the console that cannot be used are named."""

import pytest

from schemas.console import ConsoleSettings
from schemas.settings import Settings, SettingsError
from schemas.settings_check import check

PROXY = {"user_header": "X-User", "trusted_proxies": ("10.0.0.0/8", "2001:db8::1")}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "console.example"}, "console.url"),
        ({"url": "ftp://console.example"}, "console.url"),
        ({"url": "https://console.example/path"}, "console.url"),
        ({**PROXY, "trusted_proxies": ("proxy.example",)}, "console.trusted_proxies"),
        ({**PROXY, "user_header": "X User"}, "console.user_header"),
        ({"user_header": "X-User"}, "console.trusted_proxies"),
        ({"trusted_proxies": ("10.0.0.1",)}, "console.user_header"),
        ({"user_scopes": ()}, "console.user_scopes"),
    ],
    ids=str,
)
def test_wrong_setting_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        check(Settings(console=ConsoleSettings(**given)))  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{}, PROXY, {"url": "https://console.example:8443/"}], ids=str)
def test_what_can_be_used_is_taken(given: dict[str, object]) -> None:
    check(Settings(console=ConsoleSettings(**given)))  # type: ignore[arg-type]
