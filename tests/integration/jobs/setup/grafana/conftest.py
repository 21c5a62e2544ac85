"""A stand-in of each version of Grafana that is supported, and the settings that lead there."""

from collections.abc import Iterator

import pytest

from schemas.watch_settings import Grafana
from tests.support.grafana_stand_in import FakeGrafana, serving

VERSIONS = (11, 12, 13)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"grafana-{version}")
def fake(request: pytest.FixtureRequest) -> FakeGrafana:
    return FakeGrafana(version=request.param)


@pytest.fixture
def grafana(fake: FakeGrafana) -> Iterator[Grafana]:
    with serving(fake) as url:
        yield Grafana(url=url, token=fake.token)
