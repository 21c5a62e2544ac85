"""Whether most of those who were struck sent far more than in any hour before."""

import pytest

from streams.incidents.surge import most_surge

BUSIEST = {"a": 100, "b": 100, "c": 100, "d": 100}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({"a": 900, "b": 900, "c": 900}, True, id="all"),
        pytest.param({"a": 900, "b": 900, "c": 80, "d": 80}, False, id="half"),
        pytest.param({"a": 900, "b": 900, "c": 900, "d": 80}, True, id="most"),
        pytest.param({"a": 300, "b": 300, "c": 300}, False, id="three times is no surge"),
        pytest.param({"new": 10, "newer": 10, "c": 80}, True, id="who never sent before"),
    ],
)
def test_case(sent: dict[str, int], expected: bool) -> None:
    assert most_surge(sent, BUSIEST) is expected
