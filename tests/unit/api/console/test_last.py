"""What was shown last is found again, and the oldest gives way."""

from api.console.case.last import LastPages


def test_newest_view_is_found_and_the_oldest_gives_way() -> None:
    last = LastPages[str, int](kept=2)
    for name, view in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        last.keep(name, view)
    assert (last.find("a"), last.find("b"), last.find("c")) == (3, None, 4)
    assert last.all() == [("a", 3), ("c", 4)]
