"""Lines of a system log in every shape that servers, journals and containers give them."""

import json
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis.strategies import datetimes, sampled_from

from streams.adapt import AdaptError
from streams.adapt.syslog import USUAL, LogClock, SyslogLine, read_line

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
AT = datetime(2025, 3, 3, 10, 11, 12, tzinfo=UTC)
TEXT = "AB12C: to=<a@b.example>, relay=none, status=bounced (no)"
OLD = f"Mar  3 10:11:12 mx1 postfix/smtp[811]: {TEXT}"


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def read(line: str, zone: str = "UTC", now: datetime = NOW) -> SyslogLine:
    return read_line(line, ZoneInfo(zone), ms(now))


def journal(**fields: object) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": f"{ms(AT)}000", "_HOSTNAME": "mx1", **fields})


@pytest.mark.parametrize(
    "line",
    [
        OLD,
        f"<22>{OLD}",
        f"Mar 03 10:11:12.000 mx1 postfix/smtp[811]: {TEXT}",
        f"Mar  3 2025 10:11:12 mx1 postfix/smtp[811]: {TEXT}",
        f"Mar  3 10:11:12 <mail.info> mx1 postfix/smtp[811]: {TEXT}",
        f"Mar  3 10:11:12 mx1 mail.info postfix/smtp[811]: {TEXT}",
        f"Mar  3 10:11:12 mx1 mail:info postfix/smtp[811]: {TEXT}",
        f"Mar  3 10:11:12 mx1 postfix/smtp[811]: [ID 197553 mail.info] {TEXT}",
        f"2025-03-03T10:11:12+00:00 mx1 postfix/smtp[811]: {TEXT}",
        f"2025-03-03T11:11:12.000000+01:00 mx1 postfix/smtp[811]: {TEXT}",
        f"2025-03-03T11:11:12+0100 mx1 postfix/smtp[811]: {TEXT}",
        f"2025-03-03 10:11:12 mx1 postfix/smtp[811]: {TEXT}",
        f"<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - - {TEXT}",
        f"<22>1 2025-03-03T10:11:12.000Z mx1 postfix/smtp 811 - -  {TEXT}",
        f'<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 mail [x@1 y="a\\]b"][z@1] {TEXT}',
        f'<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 mail [x@1 y="a ] b\\"c"][z@1] {TEXT}',
        f"1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - - {TEXT}",
        f"2025-03-03 10:11:12 UTC mx1 postfix/smtp[811]: {TEXT}",
        f"153 <22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - - \ufeff{TEXT}",
        f"Mon 2025-03-03 10:11:12 UTC mx1 postfix/smtp[811]: {TEXT}",
        f"Mon 2025-03-03 13:11:12 +03 mx1 postfix/smtp[811]: {TEXT}",
        f"{ms(AT) // 1000}.000000 mx1 postfix/smtp[811]: {TEXT}",
        journal(SYSLOG_IDENTIFIER="postfix/smtp", SYSLOG_PID="811", MESSAGE=TEXT),
        journal(SYSLOG_IDENTIFIER="postfix/smtp", MESSAGE=list(TEXT.encode())),
        journal(SYSLOG_IDENTIFIER=["postfix/smtp", "other"], MESSAGE=TEXT),
        # A line within a line.
        f"Mar  3 11:12:00 host1 docker[32360]: {OLD}",
        f"Mar  3 11:12:00 host1 docker/0123456789ab[32360]: {OLD}",
        f"<30>1 2025-03-03T10:11:12Z host1 0123456789ab 32360 0123456789ab - {OLD}",
        f"2025-03-03T10:11:12.000000000Z stdout F {OLD}",
        f"2025-03-03T10:11:12.000000000Z {OLD}",
        f"2025-03-03T10:12:00.000000000Z 2025-03-03T10:11:12+00:00 mx1 postfix/smtp[811]: {TEXT}",
        f"mail-1  | 2025-03-03T10:12:00.000000000Z 2025-03-03T10:11:12.000Z mx1 postfix/smtp[811]: {TEXT}",
        f"mail-1  | {OLD}",
        "2025-03-03T10:11:12+00:00\tmail.info\t"
        + json.dumps({"host": "mx1", "ident": "postfix/smtp", "message": TEXT}),
        f"[pod/mail-0/postfix] {OLD}",
        f"\x1b[36mmail_1  |\x1b[0m {OLD}",
        f"mail.1.k3x@node-1    | {OLD}",
        f"mail stdout | {OLD}",
        f"mail-6b7f-x2 postfix {OLD}",
        f"mail-6b7f-x2 \u203a postfix {OLD}",
        f"/var/log/mail.log:{OLD}",
        f"12:{OLD}",
        # The inner line has no time of its own.
        f"Mar  3 10:11:12 mx1 mail[32360]: postfix/smtp[811]: {TEXT}",
        f"Mar  3 10:11:12 mx1 mail/0123456789ab[32360]: postfix/smtp[811]: {TEXT}",
        f"<30>1 2025-03-03T10:11:12Z mx1 mail 32360 mail - postfix/smtp[811]: {TEXT}",
        journal(SYSLOG_IDENTIFIER="0123456789ab", CONTAINER_NAME="mail", MESSAGE=f"postfix/smtp[811]: {TEXT}"),
        json.dumps({"log": f"{OLD}\n", "stream": "stdout", "time": "2025-03-03T10:11:12.000000001Z"}),
        json.dumps({"@timestamp": "2025-03-03T10:11:12.000Z", "message": OLD, "host": {"name": "x"}}),
        journal(SYSLOG_IDENTIFIER="0123456789ab", CONTAINER_NAME="mail", MESSAGE=OLD),
    ],
)
def test_line_of_every_shape_says_the_same(line: str) -> None:
    assert read(line) == SyslogLine(ms(AT), "mx1", "postfix/smtp", TEXT)


@pytest.mark.parametrize(
    "fields",
    [
        # rsyslog by template.
        {"@timestamp": "2025-03-03T10:11:12Z", "host": "mx1", "tag": "postfix/smtp[811]:", "message": f" {TEXT}"},
        {"timestamp": "2025-03-03T10:11:12Z", "sysloghost": "mx1", "syslog-tag": "postfix/smtp[811]:", "msg": TEXT},
        {"timereported": "Mar  3 10:11:12", "hostname": "mx1", "app-name": "postfix/smtp", "message": TEXT},
        # syslog-ng.
        {"PROGRAM": "postfix/smtp", "PID": "811", "MESSAGE": TEXT, "HOST": "mx1", "DATE": "Mar  3 10:11:12"},
        {"PROGRAM": "postfix/smtp", "MESSAGE": TEXT, "HOST": "mx1", "ISODATE": "2025-03-03T10:11:12+00:00"},
        # Fluent Bit's parser for syslog, and its input for journald in lower case.
        {"date": 1740996672.0, "time": "Mar  3 10:11:12", "host": "mx1", "ident": "postfix/smtp", "message": TEXT},
        {"date": 1740996672.0, "_hostname": "mx1", "syslog_identifier": "postfix/smtp", "message": TEXT},
        {"SOURCE_REALTIME_TIMESTAMP": "1740996672000000", "HOSTNAME": "mx1", "_COMM": "postfix/smtp", "MESSAGE": TEXT},
        # Vector and Logstash.
        {"appname": "postfix/smtp", "hostname": "mx1", "message": TEXT, "timestamp": "2025-03-03T10:11:12Z"},
        {"@timestamp": "2025-03-03T10:11:12Z", "logsource": "mx1", "program": "postfix/smtp", "message": TEXT},
        # The Elastic Common Schema.
        {
            "@timestamp": "2025-03-03T10:11:12Z",
            "message": TEXT,
            "host": {"hostname": "mx1"},
            "process": {"name": "postfix/smtp"},
            "log": {"file": {"path": "/var/log/mail.log"}},
        },
        {
            "@timestamp": "2025-03-03T10:11:12Z",
            "message": TEXT,
            "log": {"syslog": {"appname": "postfix/smtp", "hostname": "mx1"}},
        },
        # GELF, whose short message may be cut off.
        {
            "version": "1.1",
            "host": "mx1",
            "short_message": TEXT[:20],
            "full_message": TEXT,
            "timestamp": 1740996672.0,
            "_application_name": "postfix/smtp",
        },
        # Loki, OpenTelemetry, clouds.
        {
            "labels": {"syslog_identifier": "postfix/smtp", "host": "mx1"},
            "line": TEXT,
            "timestamp": "2025-03-03T10:11:12Z",
        },
        {
            "body": TEXT,
            "timestamp": "2025-03-03T10:11:12Z",
            "hostname": "mx1",
            "attributes": {"appname": "postfix/smtp"},
        },
        {"jsonPayload": {"message": OLD}, "timestamp": "2025-03-03T10:11:12Z"},
        {"textPayload": OLD, "timestamp": "2025-03-03T10:11:12Z"},
        {
            "TimeGenerated": "2025-03-03T10:11:12Z",
            "Computer": "mx1",
            "ProcessName": "postfix/smtp",
            "SyslogMessage": TEXT,
        },
        {"time": "1740996672.000", "host": "collector", "sourcetype": "postfix_syslog", "event": OLD},
        # Two programs' names: the one that was logged by counts.
        {"SYSLOG_IDENTIFIER": None, "_COMM": "postfix/smtp", "_HOSTNAME": "mx1", "MESSAGE": TEXT, "time": "1740996672"},
    ],
)
def test_json_of_every_shipper_says_the_same(fields: dict[str, object]) -> None:
    assert read(json.dumps(fields)) == SyslogLine(ms(AT), "mx1", "postfix/smtp", TEXT)


def test_object_without_a_program_is_the_text_alone() -> None:
    assert read(json.dumps({"message": TEXT, "host": "mx1", "ts": 1740996672})) == SyslogLine(ms(AT), "mx1", "", TEXT)


@pytest.mark.parametrize(
    ("line", "host", "tag"),
    [
        (f"2025-03-03T10:11:12.000+00:00 INFO    postfix/smtp[811]: {TEXT}", "", "postfix/smtp"),
        (f"Mar  3 10:11:12 postfix/smtp[811]: {TEXT}", "", "postfix/smtp"),
        (f"<22>Mar  3 10:11:12 postfix/smtp[811]: {TEXT}", "", "postfix/smtp"),
        (f"2025-03-03T10:11:12Z postfix/smtp[811]: {TEXT}", "", "postfix/smtp"),
        (f"<22>1 2025-03-03T10:11:12Z mx1 postfix 811 - -  {TEXT}", "mx1", "postfix"),
        (f"<22>1 2025-03-03T10:11:12Z - postfix-out 811 - -  {TEXT}", "", "postfix-out"),
        (f"Mar  3 10:11:12 mx1 postfix@-.service[811]: {TEXT}", "mx1", "postfix@-.service"),
        (f"Mar  3 10:11:12 mx1.example.net postfix-out/a/smtpd: {TEXT}", "mx1.example.net", "postfix-out/a/smtpd"),
        (f"Mar  3 10:11:12 2001:db8::25 postfix/smtp[811]: {TEXT}", "2001:db8::25", "postfix/smtp"),
        (f"2025-03-03T10:11:12Z stdout F postfix/smtp[811]: {TEXT}", "", "postfix/smtp"),
        (json.dumps({"log": f"postfix/smtp[811]: {TEXT}\n", "time": "2025-03-03T10:11:12Z"}), "", "postfix/smtp"),
    ],
)  # fmt: skip
def test_host_and_program_as_far_as_a_line_tells_them(line: str, host: str, tag: str) -> None:
    assert read(line) == SyslogLine(ms(AT), host, tag, TEXT)


@pytest.mark.parametrize(
    ("line", "zone", "expected"),
    [
        # Only the outer time has an offset.
        ("2025-03-03T10:11:12Z host1 docker[7]: Mar  3 05:11:12 mx1 a/b[1]: x", "Asia/Tokyo", AT),
        ("2025-03-03T10:11:12Z stdout F Dec 31 05:11:12 mx1 a/b[1]: x", "UTC", AT),
        # Neither has one: the inner is what the server wrote.
        ("Mar  3 11:11:13 host1 docker[7]: Mar  3 10:11:12 mx1 a/b[1]: x", "UTC", AT),
        # Only the inner one has one.
        ("Mar  3 11:11:13 host1 docker[7]: 2025-03-03T12:11:12+02:00 mx1 a/b[1]: x", "UTC", AT),
        ("Mon 2025-03-03 11:11:12 CET mx1 a/b[1]: x", "Europe/Berlin", AT),
        ("Sun 2024-10-27 02:30:00 CEST mx1 a/b[1]: x", "Europe/Berlin", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("Sun 2024-10-27 02:30:00 CET mx1 a/b[1]: x", "Europe/Berlin", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
        ("Dec 31 2023 22:00:00 mx1 a/b[1]: x", "America/New_York", datetime(2024, 1, 1, 3, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_time_is_that_of_which_the_offset_is_known(line: str, zone: str, expected: datetime) -> None:
    assert read(line, zone).time_ms == ms(expected)


def test_zone_that_is_not_the_configured_one_is_refused() -> None:
    with pytest.raises(AdaptError, match="are in the zone `CET`, and the option `time_zone` names another"):
        read("Mon 2025-03-03 11:11:12 CET mx1 a/b[1]: x")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "AB12C: to=<a@b.example>, relay=none, status=bounced (no)",
        "[12345.678901] mx1 postfix/smtp[1]: x",
        "2025-03-03T10:11:12Z hello",
        '{"a": 1}',
        '{"MESSAGE": null, "SYSLOG_IDENTIFIER": "postfix/smtp"}',
        '{"MESSAGE": "x: y"}',
        "{",
        "mail-1 | mail-1 | mail-1 | mail-1 | mail-1 | mail-1 | x",
    ],
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(AdaptError, match="does not begin like a line of a system log"):
        read(line)


@pytest.mark.parametrize(
    "line",
    [
        "2025-03-03T10:11:12Z stdout F + exec postfix start-fg",
        '{"log": "+ exec postfix start-fg\\n", "stream": "stderr", "time": "2025-03-03T10:11:12.1Z"}',
        "Mar  3 10:11:12 mx1 last message repeated 3 times",
        "Mar  3 10:11:12 mx1 -- MARK --",
        "2025-03-03T10:11:12.1Z mx1 last message repeated 1 time",
        "-- Logs begin at Mon 2025-03-03 00:00:00 UTC, end at Mon 2025-03-03 12:00:00 UTC. --",
        "-- Journal begins at Mon 2025-03-03 00:00:00 UTC. --",
        "-- Boot 0123456789abcdef0123456789abcdef --",
        "-- No entries --",
    ],
)
def test_what_no_program_says_is_no_error(line: str) -> None:
    assert read(line).tag == ""


@pytest.mark.parametrize(
    "line",
    [
        "2025-03-03 10:11:12.000000+0000  mx1 postfix/smtp[811]: said",
        "Mar  3 10:11:12 Message forwarded from mx1: postfix/smtp[811]: said",
        '{"date": 1740996672.0, "ident": "postfix/smtp", "pid": "811", "message": "said", "host": "mx1"}',
    ],
)
def test_lines_of_macos_aix_and_fluent_bit(line: str) -> None:
    assert read(line) == (1740996672000, "mx1", "postfix/smtp", "said")


def test_log_goes_on_in_the_year_that_a_leap_day_tells() -> None:
    """What came a minute after it was of two years later, the latest that is not of the future."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    clock = LogClock(UTC)
    written = {
        "Feb 29 23:59:59": datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
        "Mar  1 00:00:01": datetime(2024, 3, 1, 0, 0, 1, tzinfo=UTC),
        "Mar  1 00:00:02": datetime(2024, 3, 1, 0, 0, 2, tzinfo=UTC),
        "Feb 29 23:59:58": datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC),  # lines of two programs cross
        "Mar  1 00:01:00": datetime(2024, 3, 1, 0, 1, tzinfo=UTC),
        "Jan  1 00:00:00": datetime(2025, 1, 1, tzinfo=UTC),
        "Feb 28 12:00:00": datetime(2025, 2, 28, 12, tzinfo=UTC),
    }
    for text, moment in written.items():
        assert clock.time_ms(text, ms(now)) == ms(moment), text
    soon = datetime(2024, 3, 2, tzinfo=UTC)
    clock = LogClock(UTC)
    assert [clock.time_ms(text, ms(soon)) for text in list(written)[:3]] == [
        ms(each) for each in list(written.values())[:3]
    ]


def test_times_over_new_year_have_the_year_that_each_was_written_in() -> None:
    clock = LogClock(UTC)
    now = ms(datetime(2025, 1, 1, 0, 5, tzinfo=UTC))
    times = [clock.time_ms(written, now) for written in ("Dec 31 23:59:59", "Jan  1 00:00:01")]
    assert times == [ms(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)), ms(datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC))]


def test_what_is_remembered_of_a_minute_changes_no_time() -> None:
    """Also where the time now goes on for more than a year while a log is followed."""
    clock = LogClock(UTC)
    for year in (2024, 2025, 2026):
        for second in range(0, 60, 7):
            moment = datetime(year, 3, 3, 10, 11, second, tzinfo=UTC)
            written = f"Mar  3 10:11:{second:02}"
            assert clock.time_ms(written, ms(moment)) == ms(moment)
            assert read_line(f"{written} mx1 a/b[1]: x", UTC, ms(moment)) == (ms(moment), "mx1", "a/b", "x")


USUALLY = re.compile(f"{USUAL}(.*)", re.ASCII)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@given(
    moment=datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - of that zone
    form=sampled_from(["%b %e %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S+05:30"]),
)
def test_usual_lines_are_read_as_all_others(zone: str, moment: datetime, form: str) -> None:
    line = f"{moment.strftime(form)} mx1 postfix/smtp[811]: {TEXT}"
    slowly = read(line, zone)
    if found := USUALLY.fullmatch(line):
        written, host, tag, text = found.groups()
        assert (LogClock(ZoneInfo(zone)).time_ms(written, ms(NOW)), host, tag, text) == slowly
    else:
        assert (moment.month, moment.day) == (2, 29)


@pytest.mark.parametrize("written", ["Feb 30 10:11:12", "Foo  3 10:11:12", "2025-13-03T10:11:12Z", "Mar  3 24:11:12"])
def test_time_that_is_none_is_not_usual(written: str) -> None:
    assert USUALLY.match(f"{written} mx1 a/b[1]: x") is None
