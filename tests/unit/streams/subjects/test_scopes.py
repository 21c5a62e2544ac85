"""Which subjects a stream's mail belongs to."""

import pytest

from schemas.scope import shared_by
from streams.subjects.scopes import scopes_of, sub_account


@pytest.mark.parametrize(
    ("stream", "account"), [("eu/news", "eu"), ("eu/a/b", "eu"), ("news", ""), ("/news", ""), ("eu/", "eu"), ("", "")]
)
def test_sub_account_is_what_stands_before_the_first_slash(stream: str, account: str) -> None:
    assert sub_account(stream) == account


def test_mail_belongs_to_its_customer_its_stream_and_its_sub_account() -> None:
    """To a sub-account only where there is one."""
    assert scopes_of("eu/news") == ("customer", "stream:eu/news", "sub_account:eu")
    assert scopes_of("news") == ("customer", "stream:news")
    assert scopes_of("/news") == ("customer", "stream:/news")


@pytest.mark.parametrize(
    ("scope", "shared"),
    [
        ("pool:a:b", ("pool", "a:b")),
        ("from:shop.example", ("from", "shop.example")),
        ("plan:trial", ("plan", "trial")),
        ("pool:", None),
        ("customer", None),
        ("stream:pool", None),
    ],
)
def test_scope_of_what_is_shared_names_its_kind(scope: str, shared: tuple[str, str] | None) -> None:
    assert shared_by(scope) == shared
