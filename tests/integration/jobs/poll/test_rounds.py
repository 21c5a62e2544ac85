"""Rounds of asking, against stand-ins of both providers on loopback: pages, refusals, waiting, what is kept."""

import base64
import hashlib
import sys
from collections import deque
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from jobs.poll.postmaster import poll_postmaster
from jobs.poll.requesting import BadCredentialError, PollError, Requester, TryLaterError
from jobs.poll.round import Round
from jobs.poll.snds import poll_snds
from jobs.poll.tokens import SignIn
from schemas.poll import PostmasterSettings, SndsSettings
from tests.support.provider_stand_ins import CLIENT_SECRET, REFRESH_TOKEN, SNDS_KEY, TOKEN, StandIn, providers
from tests.support.raw_server import drips, ends_after, goes_on, raw_server, says

TODAY = date(2026, 11, 29)
DAYS = [TODAY - timedelta(days=back) for back in range(6)]
LINE = "192.0.2.1,a,b,9,9,9,YELLOW,0.2%,,,0,mta.example.com,news@example.com,\r\n"


@pytest.fixture(scope="module")
def started() -> Iterator[StandIn]:
    with providers() as server:
        yield server


@pytest.fixture
def server(started: StandIn) -> StandIn:
    for each in (started.domains, started.denied, started.rates, started.loops, started.compliance, started.files):
        each.clear()
    started.refusals.clear()
    started.asked.clear()
    started.domains += [{"name": f"domains/{name}.example", "permission": "OWNER"} for name in "abc"]
    return started


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def requester(waits: list[float]) -> Requester:
    return Requester(timeout_s=5, longest_wait_s=60, wait=waits.append, clock=lambda: 1_000_000.0)


def settings(server: StandIn, folder: Path, **changed: str) -> PostmasterSettings:
    file = folder / "google.json"
    known = {"client_id": "id", "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
    file.write_bytes(
        msgspec.json.encode(known | {"token_uri": f"{server.url}/token", "type": "authorized_user"} | changed)
    )
    return PostmasterSettings(credentials_file=str(file), url=server.url, lookback_days=5)


def key(server: StandIn, folder: Path, written: str = SNDS_KEY) -> SndsSettings:
    file = folder / "snds.key"
    file.write_text(f"{written}\n")
    return SndsSettings(key_file=str(file), url=f"{server.url}/snds/data.aspx", lookback_days=4)


def rates(found: Round) -> dict[tuple[str, str, date], float | None]:
    return {(each.resource, each.about, each.day): each.rate for each in found.readings if each.rate is not None}


# ---- Gmail


def test_all_domains_and_days_come_in_page_by_page(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    server.rates |= {f"{name}.example": dict.fromkeys(DAYS, 0.001) for name in "abc"}
    server.loops["b.example"] = {"shop": {DAYS[1]: 0.004}, "club": {DAYS[2]: 0.0}}
    server.compliance["a.example"] = {
        "complianceData": {"rowData": [{"requirement": "SPF", "status": {"status": "COMPLIANT"}}]}
    }
    found = poll_postmaster(settings(server, tmp_path), TODAY, requester)
    assert found.faults == []
    expected = {(f"{name}.example", "", day): 0.001 for name in "abc" for day in DAYS[:5]}
    expected |= {("b.example", "shop", DAYS[1]): 0.004, ("b.example", "club", DAYS[2]): 0.0}
    assert rates(found) == expected
    assert [(each.resource, each.about, each.said, each.day) for each in found.readings if each.said] == [
        ("a.example", "SPF", "COMPLIANT", TODAY)
    ]
    assert "GET /v2/domains 2" in server.asked


def test_missing_days_are_no_readings(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    server.rates["b.example"] = {DAYS[3]: 0.0}
    assert rates(poll_postmaster(settings(server, tmp_path), TODAY, requester)) == {("b.example", "", DAYS[3]): 0.0}


def test_domain_without_access_costs_itself_alone(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    server.rates |= {"a.example": {DAYS[1]: 0.1}, "c.example": {DAYS[1]: 0.2}}
    server.denied.add("b.example")
    found = poll_postmaster(settings(server, tmp_path), TODAY, requester)
    assert set(rates(found)) == {("a.example", "", DAYS[1]), ("c.example", "", DAYS[1])}
    (fault,) = found.faults
    assert fault.startswith("Postmaster Tools, b.example: 403 PERMISSION_DENIED: no access: is it verified")


def test_named_domains_are_asked_about_without_the_list(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    named = msgspec.structs.replace(settings(server, tmp_path), domains=("c.example",))
    assert poll_postmaster(named, TODAY, requester).asked == 1
    assert not any(each.startswith("GET /v2/domains ") for each in server.asked)


@pytest.mark.parametrize(
    ("refusal", "waited"),
    [((429, "7"), 7.0), ((503, ""), 1.0), ((429, "Mon, 12 Jan 1970 13:47:10 GMT"), 30.0), ((500, "soon"), 1.0)],
)
def test_refusal_for_now_is_waited_out_as_long_as_it_says(
    server: StandIn,
    requester: Requester,
    waits: list[float],
    tmp_path: Path,
    refusal: tuple[int, str],
    waited: float,
) -> None:
    server.refusals.append(refusal)
    assert poll_postmaster(settings(server, tmp_path), TODAY, requester).asked == 3
    assert waits == [waited]


def test_round_ends_where_it_is_asked_to_wait_for_long_and_keeps_what_it_has(
    server: StandIn, requester: Requester, waits: list[float], tmp_path: Path
) -> None:
    server.rates |= {f"{name}.example": {DAYS[1]: 0.1} for name in "abc"}
    named = msgspec.structs.replace(settings(server, tmp_path), domains=("a.example", "b.example", "c.example"))

    class ThenBusy(Requester):
        def ask(self, method, url, who, **more):  # type: ignore[no-untyped-def]
            if "b.example" in url:
                server.refusals.append((429, "3600"))
            return super().ask(method, url, who, **more)

    found = poll_postmaster(named, TODAY, ThenBusy(5, 60, wait=waits.append))
    assert set(rates(found)) == {("a.example", "", DAYS[1])}
    assert found.later
    assert waits == []
    (fault,) = found.faults
    assert fault.startswith("Postmaster Tools, b.example: 429 Too Many Requests: it asks to wait 3,600 s")


def test_provider_that_stays_out_of_order_is_asked_four_times(
    server: StandIn, requester: Requester, waits: list[float], tmp_path: Path
) -> None:
    server.refusals.extend([(502, "")] * 9)
    with pytest.raises(TryLaterError, match=r"^Google's token endpoint: 502 Bad Gateway, 4 times$"):
        poll_postmaster(settings(server, tmp_path), TODAY, requester)
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("wrong", ["client_secret", "refresh_token"])
def test_wrong_credential_is_one_error_without_the_secret(
    server: StandIn, requester: Requester, tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(BadCredentialError, match=r"the refresh token in .*google\.json is not taken") as raised:
        poll_postmaster(settings(server, tmp_path, **{wrong: "wr0ng-one"}), TODAY, requester)
    for secret in ("wr0ng-one", CLIENT_SECRET, REFRESH_TOKEN):
        assert secret not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [("{}", "`client_id` is missing"), ("no json", "JSON is malformed"), (None, "No such file")],
)
def test_file_of_credentials_that_cannot_be_used_is_named(
    server: StandIn, requester: Requester, tmp_path: Path, written: str | None, said: str
) -> None:
    file = tmp_path / "mine.json"
    if written is not None:
        file.write_text(written)
    with pytest.raises(BadCredentialError, match=rf"^poll\.postmaster\.credentials_file: .*mine\.json: .*{said}"):
        poll_postmaster(PostmasterSettings(credentials_file=str(file), url=server.url), TODAY, requester)


def test_token_may_come_from_a_command(server: StandIn, requester: Requester) -> None:
    asked = PostmasterSettings(token_command=(sys.executable, "-c", f"print('{TOKEN}')"), url=server.url)
    assert poll_postmaster(asked, TODAY, requester).asked == 3
    wrong = PostmasterSettings(token_command=(sys.executable, "-c", "print('another')"), url=server.url)
    with pytest.raises(BadCredentialError, match="401 UNAUTHENTICATED: the credentials are not taken"):
        poll_postmaster(wrong, TODAY, requester)
    failing = PostmasterSettings(token_command=(sys.executable, "-c", "print('s3cret'); exit(4)"), url=server.url)
    with pytest.raises(BadCredentialError, match=r"ended with 4$"):
        poll_postmaster(failing, TODAY, requester)


def test_credentials_do_not_leave_the_machine_unencrypted(
    requester: Requester, tmp_path: Path, server: StandIn
) -> None:
    plain = msgspec.structs.replace(settings(server, tmp_path), url="http://postmaster.example.com")
    with pytest.raises(PollError, match=r"http://postmaster\.example\.com/v2/domains is not https$"):
        poll_postmaster(plain, TODAY, requester)


OK = b"HTTP/1.1 200 OK\r\n"
NEVER_WHOLE = {
    "drips": (drips(OK + b"Content-Length: 900\r\n\r\n", b" "), "no whole answer in time, 4 times"),
    "fields without end": (drips(OK, b"X: y\r\n"), "no whole answer in time, 4 times"),
    "silent": (says(b""), "no whole answer in time, 4 times"),
    "without end": (goes_on(OK + b"\r\n", b" " * 65_536), "an answer of more than 100,000 bytes, which is not read"),
    "100 MB": (
        goes_on(OK + b"Content-Length: 100000000\r\n\r\n", b" " * 65_536),
        "an answer of more than 100,000 bytes, which is not read",
    ),
    "cut off": (ends_after(OK + b"Content-Type: text/csv\r\n"), "the connection ended before the answer did, 4 times"),
}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Requester:
    monkeypatch.setattr("jobs.poll.requesting.MOST_BYTES", 100_000)
    return Requester(timeout_s=0.3, longest_wait_s=60, wait=lambda _: None)


@pytest.mark.parametrize("kind", NEVER_WHOLE)
def test_answer_that_is_never_whole_is_a_fault_that_names_source_and_page(
    server: StandIn, hurried: Requester, tmp_path: Path, kind: str
) -> None:
    """What was read before it is kept, and another round reads the rest."""
    speak, said = NEVER_WHOLE[kind]
    server.rates |= {f"{name}.example": dict.fromkeys(DAYS[:5], 0.001) for name in "ab"}
    asked = msgspec.structs.replace(settings(server, tmp_path), domains=("a.example", "b.example"))

    class ThenStrange(Requester):
        def ask(self, method, url, who, **more):  # type: ignore[no-untyped-def]
            if who == "Postmaster Tools, b.example, page 2":
                with raw_server(speak) as port:
                    return super().ask(method, f"http://127.0.0.1:{port}/", who, **more)
            return super().ask(method, url, who, **more)

    strange = ThenStrange(hurried.timeout_s, hurried.longest_wait_s, wait=hurried.wait)
    found = poll_postmaster(asked, TODAY, strange)
    assert found.faults == [f"Postmaster Tools, b.example, page 2: {said}"]
    assert len(rates(found)) == 5 + server.page
    again = poll_postmaster(asked, TODAY, Requester(5, 60))
    assert (again.faults, len(rates(again))) == ([], 10)


@pytest.mark.parametrize("kind", NEVER_WHOLE)
def test_day_of_snds_whose_answer_is_never_whole_is_named(hurried: Requester, tmp_path: Path, kind: str) -> None:
    speak, said = NEVER_WHOLE[kind]
    file = tmp_path / "snds.key"
    file.write_text(SNDS_KEY)
    with raw_server(speak) as port:
        asked = SndsSettings(key_file=str(file), url=f"http://127.0.0.1:{port}/", lookback_days=1)
        found = poll_snds(asked, TODAY, hurried)
    assert found.faults == [f"SNDS data of 2026-11-28: {said}"]


def test_page_of_the_list_that_fails_costs_the_domains_after_it(
    server: StandIn, waits: list[float], tmp_path: Path
) -> None:
    class ThenBusy(Requester):
        def ask(self, method, url, who, **more):  # type: ignore[no-untyped-def]
            if "page 2" in who:
                server.refusals.extend([(503, "")] * 4)
            return super().ask(method, url, who, **more)

    server.rates |= {f"{name}.example": {DAYS[1]: 0.1} for name in "abc"}
    found = poll_postmaster(settings(server, tmp_path), TODAY, ThenBusy(5, 60, wait=waits.append))
    assert found.faults == ["Postmaster Tools, the list of domains, page 2: 503 Service Unavailable, 4 times"]
    assert ({each.resource for each in found.readings}, found.later) == ({"a.example", "b.example"}, True)


def test_page_that_names_itself_as_the_next_is_not_read_for_ever(tmp_path: Path, server: StandIn) -> None:
    class Circle(Requester):
        def ask(self, method, url, who, **more):  # type: ignore[no-untyped-def]
            return b'{"nextPageToken": "2"}' if "list" in who else super().ask(method, url, who, **more)

    with pytest.raises(PollError, match="the list of domains, page 2: it names a page as the next that was read"):
        poll_postmaster(settings(server, tmp_path), TODAY, Circle(5, 60))


# ---- Microsoft


def test_each_of_the_last_days_is_asked_about_and_missing_ones_are_unknown(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    server.files[DAYS[2]] = LINE.encode()
    found = poll_snds(key(server, tmp_path), TODAY, requester)
    assert found.faults == []
    assert server.asked == [f"GET /snds/data.aspx {day:%m%d%y}" for day in DAYS[1:5]]
    assert {(each.measure, each.day) for each in found.readings} == {
        (measure, DAYS[2]) for measure in ("filter_result", "recipients", "trap_hits", "complaint_rate")
    }


def test_day_that_cannot_be_read_costs_itself_alone(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    server.files |= {DAYS[1]: b"<html>", DAYS[2]: LINE.encode()}
    found = poll_snds(key(server, tmp_path), TODAY, requester)
    assert {each.day for each in found.readings} == {DAYS[2]}
    assert found.faults == ["SNDS data of 2026-11-28: a web page in place of the data: is the key right?"]


def test_wrong_key_is_one_error_without_the_key(server: StandIn, requester: Requester, tmp_path: Path) -> None:
    with pytest.raises(BadCredentialError, match=r"^SNDS data of 2026-11-28: 401 Unauthorized") as raised:
        poll_snds(key(server, tmp_path, "wr0ng-key"), TODAY, requester)
    assert "wr0ng-key" not in str(raised.value)


def test_provider_that_cannot_be_reached_says_so_without_the_key(
    requester: Requester, tmp_path: Path, server: StandIn
) -> None:
    gone = msgspec.structs.replace(key(server, tmp_path), url="http://127.0.0.1:1/data")
    found = poll_snds(gone, TODAY, requester)
    assert found.later
    assert found.faults == ["SNDS data of 2026-11-28: cannot be reached, 4 times"]


def signed_in(server: StandIn, folder: Path, refresh_token: str = REFRESH_TOKEN) -> SndsSettings:
    server.snds_refresh_tokens, server.blocked = deque([REFRESH_TOKEN, "refresh-1", "refresh-2"]), b""
    file = folder / "snds.json"
    there = {"refresh_token": refresh_token, "token_uri": f"{server.url}/microsoft-token", "note": "of Ida"}
    file.write_bytes(msgspec.json.encode(there))
    file.chmod(0o600)
    return SndsSettings(credentials_file=str(file), api_url=f"{server.url}/snds-api/", lookback_days=3)


def test_rest_interface_is_asked_about_each_day_and_which_addresses_are_blocked(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    server.files[DAYS[2]] = LINE.encode()
    settings = signed_in(server, tmp_path)
    server.blocked = b"192.0.2.8,192.0.2.9,Yes,Blocked due to user complaints\r\n"
    found = poll_snds(settings, TODAY, requester)
    assert found.faults == []  # A day that is not there yet is unknown.
    assert server.asked == [
        "POST /microsoft-token",
        *[f"GET /snds-api/api/report/data/{day}" for day in DAYS[1:4]],
        "GET /snds-api/api/report/status/ip",
    ]
    assert {(each.resource, each.day, each.said) for each in found.readings if each.measure == "blocked"} == {
        (address, TODAY, "Blocked due to user complaints") for address in ("192.0.2.8", "192.0.2.9")
    }
    assert {each.day for each in found.readings if each.measure == "recipients"} == {DAYS[2]}


def test_refresh_token_that_comes_with_another_is_kept_for_the_next_round(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    settings = signed_in(server, tmp_path)
    file = Path(settings.credentials_file)
    for kept in ("refresh-1", "refresh-2"):
        poll_snds(settings, TODAY, requester)
        there = msgspec.json.decode(file.read_bytes())
        assert (there["refresh_token"], there["note"], file.stat().st_mode & 0o777) == (kept, "of Ida", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["snds.json"]


def test_refresh_token_that_is_not_taken_is_one_error_without_it(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    with pytest.raises(
        BadCredentialError, match=r"^Microsoft's token endpoint: 400 .*\(expired or taken back\?\)"
    ) as raised:
        poll_snds(signed_in(server, tmp_path, "0ld"), TODAY, requester)
    assert "0ld" not in str(raised.value)


@pytest.mark.parametrize("name", ["nowhere.json", "no.json"])
def test_bad_file_of_credentials_is_named(requester: Requester, tmp_path: Path, name: str) -> None:
    (tmp_path / "no.json").write_text('{"access_token": "s3cret"}')
    with pytest.raises(BadCredentialError, match=rf"^poll.snds.credentials_file: .*{name}") as raised:
        poll_snds(SndsSettings(credentials_file=str(tmp_path / name)), TODAY, requester)
    assert "s3cret" not in str(raised.value)


def test_refused_day_costs_itself_and_a_wait_ends_the_round(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    server.files = {day: LINE.encode() for day in DAYS}
    settings = msgspec.structs.replace(signed_in(server, tmp_path), credentials_file="", token_command=("echo", TOKEN))
    server.refusals.append((403, ""))
    found = poll_snds(settings, TODAY, requester)
    assert found.faults == ["SNDS data of 2026-11-28: 403 Forbidden"]
    assert {each.day for each in found.readings} == set(DAYS[2:4])
    server.refusals.append((429, "100000"))
    found = poll_snds(settings, TODAY, requester)
    assert (found.later, found.asked, found.readings) == (True, 1, [])


def sign_in_to(server: StandIn, folder: Path) -> tuple[SndsSettings, SignIn]:
    """To sign in, with what is random known."""
    settings = signed_in(server, folder, "0ld")
    return settings, SignIn(settings, random=lambda size: f"r{size}")


def test_sign_in_keeps_the_refresh_token_that_the_next_round_takes(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    settings, signing_in = sign_in_to(server, tmp_path)
    asked = dict(parse_qsl(urlsplit(signing_in.address).query))
    # RFC 7636 section 4.2: the challenge is the digest of what only this program knows.
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"r64").digest()).decode().rstrip("=")
    assert (asked["code_challenge"], asked["code_challenge_method"], asked["state"]) == (digest, "S256", "r16")
    signing_in.finish(f"http://localhost/?code={REFRESH_TOKEN}&state=r16\n", requester)
    assert msgspec.json.decode(Path(settings.credentials_file).read_bytes())["refresh_token"] == "refresh-1"
    assert poll_snds(settings, TODAY, requester).faults == []


def test_first_sign_in_makes_a_file_that_only_its_owner_reads(
    server: StandIn, requester: Requester, tmp_path: Path
) -> None:
    file = tmp_path / "new.json"
    server.snds_refresh_tokens = deque([REFRESH_TOKEN, "refresh-1"])
    settings = SndsSettings(credentials_file=str(file))
    signing_in = SignIn(settings, random=lambda size: f"r{size}", token_url=f"{server.url}/microsoft-token")
    signing_in.finish(f"http://localhost?code={REFRESH_TOKEN}&state=r16", requester)
    assert msgspec.json.decode(file.read_bytes()) == {"refresh_token": "refresh-1"}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://localhost?code=c&state=other", "not the one that this sign-in ends at"),
        ("", "not the one that this sign-in ends at"),
        ("http://localhost?error=access_denied&state=r16", "refused: access_denied"),
        ("http://localhost?code=wr0ng&state=r16", "the code is not taken"),
    ],
)
def test_sign_in_that_goes_wrong_is_an_error_without_the_code(
    server: StandIn, requester: Requester, tmp_path: Path, address: str, said: str
) -> None:
    settings, signing_in = sign_in_to(server, tmp_path)
    with pytest.raises(BadCredentialError, match=said) as raised:
        signing_in.finish(address, requester)
    assert "wr0ng" not in str(raised.value)
    assert msgspec.json.decode(Path(settings.credentials_file).read_bytes())["refresh_token"] == "0ld"
