"""Whatever a provider answers, it is readings of the asked kind or an error that says why."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from jobs.poll import postmaster_answers as answers
from jobs.poll.postmaster_answers import Compliance, Domains, Stats
from jobs.poll.reading import AnswerError, ProviderReading
from jobs.poll.snds_answers import day_file

DAY = date(2026, 11, 27)
CELLS = st.sampled_from(["192.0.2.1", "2001:db8::1", "", "9", "GREEN", "< 0.1%", "0.3%", '"', "\x00", "²", "-1"])
FILES = st.lists(st.lists(CELLS, max_size=14).map(",".join), max_size=4).map(lambda lines: "\n".join(lines).encode())


def held(reading: ProviderReading) -> None:
    assert reading.rate is None or 0 <= reading.rate <= 1
    assert reading.number is None or reading.number >= 0


@given(st.binary(max_size=200) | FILES)
def test_any_file_of_snds_ends_in_readings_or_an_error(body: bytes) -> None:
    try:
        found = day_file(body, DAY)
    except AnswerError as error:
        assert str(error).startswith("SNDS data of 2026-11-27: ")
        return
    for each in found.readings:
        held(each)


@given(
    st.binary(max_size=200)
    | st.sampled_from(
        [b'{"domainStats":[{"metric":"spam_rate","date":{"year":2026,"month":2,"day":30}}]}', b"[]", b"null"]
    )
)
def test_any_answer_of_postmaster_tools_ends_in_readings_or_an_error(body: bytes) -> None:
    for kind in (Stats, Domains, Compliance):
        try:
            answer = answers.parse(body, kind, "asked")
            if isinstance(answer, Stats):
                for each in answers.spam_rates("example.com", answer):
                    held(each)
        except AnswerError:
            pass
