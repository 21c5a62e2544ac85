"""What `source` of an event says of the installation it is of."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.alert import ALERT_DATA, ALERT_SOURCE
from schemas.customer_event import CUSTOMER_DATA, CUSTOMER_SOURCE
from schemas.deployment import NAME, UNKNOWN, Deployment, fault_of_name, names_no_deployment
from schemas.hold import HOLD_DATA, HOLD_SOURCE
from schemas.incident import INCIDENT_DATA, INCIDENT_SOURCE
from schemas.topics import folder, load_topics

KINDS = [ALERT_SOURCE, CUSTOMER_SOURCE, HOLD_SOURCE, INCIDENT_SOURCE]
IDS = st.binary(min_size=8, max_size=8).map(bytes.hex)
NAMES = st.one_of(st.just(""), st.from_regex(NAME, fullmatch=True))
DEPLOYMENTS = st.builds(Deployment, id=IDS, name=NAMES)


def test_source_holds_name_and_id() -> None:
    assert Deployment(id="5f0c9a417b22d85e").source(ALERT_SOURCE) == "/repmon/5f0c9a417b22d85e/monitor"
    named = Deployment(id="5f0c9a417b22d85e", name="mail-eu")
    assert named.source(ALERT_SOURCE) == "/repmon/mail-eu.5f0c9a417b22d85e/monitor"


@given(DEPLOYMENTS, DEPLOYMENTS, st.sampled_from(KINDS))
def test_law_two_deployments_have_no_source_in_common_and_know_their_own(
    one: Deployment, other: Deployment, kind: str
) -> None:
    assert one.sent(one.source(kind))
    assert other.sent(one.source(kind)) == (one.id == other.id)
    assert not names_no_deployment(one.source(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_source_from_before_there_were_ids_is_of_no_deployment(kind: str) -> None:
    assert UNKNOWN.source(kind) == kind
    assert names_no_deployment(kind)
    assert not Deployment(id="5f0c9a417b22d85e").sent(kind)
    assert not UNKNOWN.sent(kind)


@pytest.mark.parametrize("name", ["a/b", "a.b", "-a", "a" * 64, "ä", "a b", "a\n", "../a", "a#b", "%2e"])
def test_name_that_is_no_part_of_a_path_is_refused(name: str) -> None:
    assert fault_of_name(name)


@pytest.mark.parametrize("address", [ALERT_DATA, CUSTOMER_DATA, HOLD_DATA, INCIDENT_DATA])
def test_dataschema_leads_to_the_schema_of_data(address: str) -> None:
    found, _, place = address.partition("#/$defs/")
    schemas = [
        msgspec.json.decode(folder("json").joinpath(kind.schema).read_text(encoding="utf-8"))
        for topic in load_topics().values()
        for kind in topic.kinds
    ]
    (schema,) = (each for each in schemas if each["$id"] == found)
    assert schema["properties"]["data"]["$ref"] == f"#/$defs/{place}"
    Draft202012Validator.check_schema(schema["$defs"][place])


@given(DEPLOYMENTS, DEPLOYMENTS, NAMES, st.sampled_from(KINDS))
def test_law_events_of_before_a_deployment_was_renamed_are_its_own(
    one: Deployment, other: Deployment, name: str, kind: str
) -> None:
    source = msgspec.structs.replace(one, name=name).source(kind)
    assert one.sent(source)
    assert other.sent(source) == (one.id == other.id)
