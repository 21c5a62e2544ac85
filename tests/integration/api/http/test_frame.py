"""What holds for every answer: HEAD, entity tags, packing, bounded bodies, fixed headers, other sites' scripts."""

import contextlib
import gzip
import http.client
import json
import socket
from collections.abc import Iterator

import pytest
import uvicorn

from api.http.bounded import bounded
from api.http.frame import MAX_BODY
from api.http.listening import listen
from api.http.metrics import metrics_apart
from schemas.settings import Api as ApiSettings
from schemas.settings import Settings
from tests.support.api_client import NOW, Api, Row, running
from tests.support.databases import Databases
from tests.support.problems import problem
from tests.support.serving import serving

pytestmark = pytest.mark.usefixtures("standing_clock")
SITE = "https://status.example"
RATES = "/v1/rates?metric=failure&window=1h"


@pytest.fixture(scope="module")
def api(databases: Databases) -> Iterator[Api]:
    """One for all, with some mail, that lets the scripts of a site ask, and has its metrics elsewhere."""
    settings = ApiSettings(cors_origins=(SITE,), metrics_port=1)
    with databases.opened(lasting=True) as store, running(store.settings, store, settings=settings) as interface:
        interface.put([Row(NOW - 60 * minute, delivered=minute + 1) for minute in range(30)])
        yield interface


def headers(api: Api, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.key}", **{name.replace("_", "-"): value for name, value in more.items()}}


@pytest.mark.parametrize("path", ["/v1/standing", RATES, "/healthz", "/docs", "/openapi.json", "/livez"])
def test_head_is_get_without_the_body(api: Api, path: str) -> None:
    got, head = (api.client.request(method, path, headers=headers(api)) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert {**got.headers, "ratelimit": ""} == {**head.headers, "ratelimit": ""}


def test_head_of_what_is_refused_has_no_body_either(api: Api) -> None:
    for path, status in (("/v1/standing", 401), ("/nope", 404)):
        answer = api.client.head(path)
        assert (answer.status_code, answer.content) == (status, b"")


def test_who_has_an_answer_already_is_told_so(api: Api) -> None:
    first = api.client.get(RATES, headers=headers(api))
    tag = first.headers["etag"]
    for asked in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = api.client.get(RATES, headers=headers(api, If_None_Match=asked))
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "private, no-cache"
        assert "content-type" not in again.headers
    assert api.client.get(RATES, headers=headers(api, If_None_Match='"x"')).json() == first.json()
    head = api.client.head(RATES, headers=headers(api, If_None_Match=tag))
    assert head.status_code == 304


def test_time_of_the_answer_alone_makes_no_other_answer(api: Api) -> None:
    first = api.get("/v1/standing")
    api.clock[0] += 1
    second = api.get("/v1/standing")
    api.clock[0] -= 1
    assert first.json()["time"] != second.json()["time"]
    assert first.headers["etag"] == second.headers["etag"]


def test_other_counts_make_another_answer(api: Api) -> None:
    first = api.get(RATES)
    api.put([Row(NOW, delivered=1)])
    assert api.get(RATES).headers["etag"] != first.headers["etag"]


def test_refusal_has_no_tag(api: Api) -> None:
    assert "etag" not in api.client.get("/v1/standing", headers={"If-None-Match": "*"}).headers


def test_long_answer_is_packed_for_who_unpacks_it(api: Api) -> None:
    with api.client.stream("GET", RATES, headers=headers(api, Accept_Encoding="gzip")) as packed:
        body = b"".join(packed.iter_raw())
    plain = api.client.get(RATES, headers=headers(api, Accept_Encoding="identity"))
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert len(body) < len(plain.content) / 4
    assert "Accept-Encoding" in packed.headers["vary"]
    assert packed.headers["etag"] == plain.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.001", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("br, *;q=0", False),
        ("gzip;q=much", False),
        ("notgzip", False),
        ("", False),
    ],
)
def test_answer_is_packed_for_who_takes_that_alone(api: Api, asked: str, packed: bool) -> None:
    answer = api.client.get(RATES, headers=headers(api, Accept_Encoding=asked))
    assert (answer.headers.get("content-encoding") == "gzip") == packed


@pytest.mark.parametrize(
    ("target", "allowed"), [("/v1/rates", "GET, HEAD"), ("/v1/keys", "GET, HEAD, POST"), ("/v1/policy/check", "POST")]
)
def test_method_that_there_is_none_of_is_told_which_there_are(api: Api, target: str, allowed: str) -> None:
    assert api.client.delete(target).headers["allow"] == allowed


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("metric=failure&customer=acme&customer=globex", "customer"),
        ("metric=failure&from=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z", "from"),
        ("metric=failure&step=hour&step=hour", "step"),
    ],
)
def test_parameter_that_is_given_twice_is_refused(api: Api, query: str, name: str) -> None:
    """The last one counted; what stands before the interface may believe the first."""
    answer = api.client.get(f"/v1/rates?{query}", headers=headers(api))
    assert problem(answer, 422)["errors"] == [{"parameter": name, "detail": "is given more than once"}]


def test_parameter_that_may_be_given_several_times_and_one_that_there_is_none_of(api: Api) -> None:
    several = api.client.get("/v1/rates?metric=failure&metric=block", headers=headers(api)).json()
    assert [each["metric"] for each in several["series"]] == ["failure", "block"]
    unknown = api.client.get("/v1/rates?metric=failure&tz=UTC", headers=headers(api))
    assert "/docs shows which there are" in problem(unknown, 422)["errors"][0]["detail"]


def test_answer_of_one_key_is_none_for_another(api: Api) -> None:
    for path in (RATES, "/v1/standing"):
        varies = api.get(path).headers["vary"].split(", ")
        assert sorted(set(varies) - {"Accept-Encoding", "Origin"}) == ["Accept", "Authorization", "X-API-Key"]
        assert len(varies) == len(set(varies))


@pytest.mark.parametrize("path", ["/v1/standing", "/nope", "/healthz", "/v1/rates"])
def test_every_answer_has_the_fixed_headers(api: Api, path: str) -> None:
    found = api.get(path).headers
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in found["content-security-policy"]


def test_page_of_the_reference_keeps_what_it_says_of_itself(api: Api) -> None:
    assert "style-src" in api.get("/docs").headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/v1/standing/", "/healthz/", "//evil.example/v1/standing/", "/v1/"])
def test_slash_at_the_end_leads_nowhere_and_no_host_is_repeated(api: Api, path: str) -> None:
    answer = api.client.get(path, headers={**headers(api), "Host": "evil.example"}, follow_redirects=False)
    problem(answer, 404)
    assert "evil.example" not in f"{answer.headers}{answer.text}"


def test_scripts_of_a_named_site_alone_may_ask(api: Api) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Authorization"}
    allowed = api.client.options("/v1/standing", headers={"Origin": SITE, **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
    refused = api.client.options("/v1/standing", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in refused.headers
    for origin, said in ((SITE, SITE), ("https://evil.example", None)):
        answer = api.client.get(RATES, headers=headers(api, Origin=origin))
        assert answer.headers.get("access-control-allow-origin") == said
        assert "access-control-allow-credentials" not in answer.headers


def test_metrics_with_a_port_of_their_own_are_not_at_the_interface(api: Api) -> None:
    problem(api.get("/metrics"), 404)


def test_metrics_answer_at_their_own_port() -> None:
    settings = Settings(api=ApiSettings(metrics_port=listen("127.0.0.1", 0, "api").getsockname()[1]))
    with contextlib.closing(metrics_apart(settings, dict, lambda: pytest.fail("not asked"))) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()


# Bodies, as they come over a socket


@pytest.fixture(scope="module")
def address(api: Api) -> Iterator[tuple[str, int]]:
    """Where the interface answers, in a server as it runs."""
    with serving(uvicorn.Config(api.client.app, host="127.0.0.1", port=0, lifespan="off", **bounded())) as where:
        yield where


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_body_that_is_said_to_be_large_is_refused_before_it_is_sent(address: tuple[str, int], method: str) -> None:
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.putrequest(method, "/v1/standing")
    connection.putheader("Content-Length", str(10_000_000))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("connection")) == (413, "close")
    assert b"a body has at most" in answer.read()
    assert "server" not in {name.lower() for name, _ in answer.getheaders()}
    connection.close()


def test_client_that_sends_all_of_a_large_body_still_reads_why_it_is_refused(address: tuple[str, int]) -> None:
    """It reads only then, as most clients do; a reset would take the answer from it."""
    body = b"x" * 10_000_000
    head = b"POST /v1/overrides HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(head + body)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413 ")
    (named,) = json.loads(answer.partition(b"\r\n\r\n")[2])["errors"]
    assert named == {"parameter": "body", "detail": "a body has at most 256,000 bytes"}


def test_length_that_is_none_is_refused(address: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.putrequest("POST", "/v1/standing")
    connection.putheader("Content-Length", "9" * 30)
    connection.endheaders()
    assert connection.getresponse().status in {400, 413}
    connection.close()


def test_largest_body_is_read(api: Api) -> None:
    assert api.client.post("/v1/standing", content=b"x" * MAX_BODY).status_code == 405
