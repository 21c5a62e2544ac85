"""Where a running `repmon up` is looked for, and what is said where there is none."""

import os
from pathlib import Path

import msgspec
import pytest

from jobs.embedded.folder import RUNNING, DataFolder, Running
from jobs.embedded.reach import NotYetError, look, reached, running_api, where_from
from schemas.settings import ClickHouse, Embedded, Kafka, Settings

ELSEWHERE = ClickHouse(url="http://127.0.0.1:18123")


def told(folder: Path, section: str = "clickhouse") -> list[str]:
    return where_from(Settings(embedded=Embedded(data=str(folder))), section)


def announce(folder: Path, pid: int, api: str = "") -> None:
    running = Running(pid=pid, kafka=Kafka(bootstrap="127.0.0.1:19092"), clickhouse=ELSEWHERE, api=api)
    (folder / RUNNING).write_bytes(msgspec.json.encode(running))


def ended() -> int:
    """The id of a process that has ended."""
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_folder_that_is_not_there_is_named_with_its_real_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = told(Path("data"))
    assert first == f"a running `repmon up` was looked for in {tmp_path / 'data'}: there is no such folder"
    for way in ("--data FOLDER", "-c FILE", "REPMON_EMBEDDED__DATA", "REPMON_CLICKHOUSE__URL"):
        assert way in second


def test_folder_in_which_nothing_runs_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    assert told(tmp_path)[0].endswith(f"{tmp_path}: nothing runs in it (running.json is missing)")


def test_one_that_is_starting_is_said_to_be_and_no_other_address_is_tried(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.take()
    settings = Settings(embedded=Embedded(data=str(tmp_path)))
    with pytest.raises(NotYetError, match=f"is starting in {tmp_path}, or ending, and gives no address: try again"):
        reached(settings)
    own = Settings(embedded=settings.embedded, kafka=Kafka(bootstrap="broker:9092"))
    assert reached(own) == own
    assert "one is starting there, or ending" in told(tmp_path)[0]
    announce(tmp_path, os.getpid())
    assert reached(settings).clickhouse == ELSEWHERE
    folder.give_back()
    assert not folder.is_held
    assert told(tmp_path)[0].endswith("nothing runs in it (running.json is missing)")


def test_one_that_was_killed_is_named_by_its_process(tmp_path: Path) -> None:
    announce(tmp_path, pid := ended())
    assert told(tmp_path)[0].endswith(f"the one that ran in it, process {pid}, has ended")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / RUNNING).write_text("{")
    assert f"{RUNNING}: Input data was truncated" in told(tmp_path)[0]


def test_one_that_runs_gives_its_addresses_and_is_named_where_they_do_not_answer(tmp_path: Path) -> None:
    announce(tmp_path, os.getpid())
    settings = Settings(embedded=Embedded(data=str(tmp_path)))
    assert reached(settings).clickhouse == ELSEWHERE
    assert look(settings).running is not None
    assert told(tmp_path) == [f"`repmon up`, process {os.getpid()}, runs in {tmp_path}, and gave this address"]


def test_address_that_is_set_is_named_as_the_reason(tmp_path: Path) -> None:
    settings = Settings(clickhouse=ELSEWHERE, embedded=Embedded(data=str(tmp_path)))
    (line,) = where_from(settings, "clickhouse")
    assert line.startswith("this address is set in [clickhouse] or REPMON_CLICKHOUSE__URL")
    assert len(where_from(settings, "kafka")) == 2, "of the broker nothing is set"


def test_one_that_runs_is_a_stage_of_those_who_look_at_its_broker_or_store_alone(tmp_path: Path) -> None:
    settings = Settings(embedded=Embedded(data=str(tmp_path)))
    assert running_api(settings) == ""
    announce(tmp_path, os.getpid(), "http://127.0.0.1:8080")
    assert running_api(reached(settings)) == "http://127.0.0.1:8080"
    elsewhere = Settings(
        embedded=settings.embedded, kafka=Kafka(bootstrap="broker:9092"), clickhouse=ClickHouse(url="http://store:8123")
    )
    assert running_api(reached(elsewhere)) == ""
