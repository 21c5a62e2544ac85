"""What a key may do."""

import pytest

from api.http.scopes import SCOPES, ScopeError, checked


def test_scopes_stand_in_their_usual_order_each_once() -> None:
    assert checked(["keys", "read", "keys"], operator=True) == ("read", "keys")
    assert checked(reversed(SCOPES), operator=True) == SCOPES


def test_customers_key_can_read_and_nothing_else() -> None:
    assert checked(["read"], operator=False) == ("read",)
    for more in SCOPES[1:]:
        with pytest.raises(ScopeError, match=f"only read, not {more}"):
            checked(["read", more], operator=False)


@pytest.mark.parametrize(
    ("scopes", "said"), [([], "at least one"), (["write"], "no such scope: write; there are read,")]
)
def test_wrong_scope_is_named(scopes: list[str], said: str) -> None:
    with pytest.raises(ScopeError, match=said):
        checked(scopes, operator=True)
