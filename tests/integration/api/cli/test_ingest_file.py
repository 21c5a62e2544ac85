"""`repmon ingest-file` with files that are not what they were said to be, as its user runs it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.settings import Kafka
from tests.support.root import ROOT

REPMON = str(Path(sys.executable).with_name("repmon"))
KUMOMTA = (ROOT / "docs" / "examples" / "kumomta.jsonl").read_bytes()


def run(kafka: Kafka, folder: Path, content: bytes, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, what it prints, and the lines on standard error; the file is `log`."""
    (folder / "log").write_bytes(content)
    done = subprocess.run(
        [REPMON, "ingest-file", *words],
        cwd=folder,
        env={**os.environ, "REPMON_KAFKA__BOOTSTRAP": kafka.bootstrap},
        input=content,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode().splitlines()


@pytest.mark.parametrize("source", ["log", "-"])
def test_file_of_another_format_is_reported_in_two_lines_with_its_likely_format(
    embedded_kafka: Kafka, tmp_path: Path, source: str
) -> None:
    code, said, errors = run(embedded_kafka, tmp_path, KUMOMTA * 10, "--format", "postfix", source)
    lines = 10 * len(KUMOMTA.splitlines())
    assert (code, said) == (1, f"sent 0 events; {lines:,} records could not be read\n")
    assert len(errors) == 2
    assert errors[0].startswith(f"{source}: {lines:,} records, the first at line 1: ")
    assert errors[1] == f"{source}: looks like KumoMTA: --format kumomta"


def test_file_of_which_nothing_was_understood_and_nothing_was_bad_is_reported_too(
    embedded_kafka: Kafka, tmp_path: Path
) -> None:
    """Many formats pass over events that they do not count."""
    event = {"id": "e1", "type": "delivered", "time": 1757675281000, "customer": "acme"}
    code, said, errors = run(embedded_kafka, tmp_path, json.dumps(event).encode(), "--format", "resend", "log")
    assert (code, said) == (1, "sent 0 events; 0 records could not be read\n")
    assert errors == ["log: looks like repmon's own JSON: --format canonical"]


def test_packed_file_is_read_or_refused_with_what_unpacks_it(embedded_kafka: Kafka, tmp_path: Path) -> None:
    for source in ("log", "-"):
        code, said, errors = run(embedded_kafka, tmp_path, gzip.compress(KUMOMTA), "--format", "kumomta", source)
        assert (code, said, errors) == (0, "sent 273 events; 0 records could not be read\n", [])
    code, said, errors = run(embedded_kafka, tmp_path, KUMOMTA.decode().encode("utf-16"), "--format", "kumomta", "log")
    unpack = "iconv -f UTF-16 -t UTF-8 log | repmon ingest-file --format kumomta -"
    assert (code, said) == (2, "")
    assert errors == [f"repmon: log: is UTF-16 text; make text of it first: {unpack}"]
    done = subprocess.run(
        ["/bin/sh", "-c", unpack.replace("repmon", REPMON)],
        cwd=tmp_path,
        env={**os.environ, "REPMON_KAFKA__BOOTSTRAP": embedded_kafka.bootstrap},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("; 0 records could not be read\n")


def test_of_several_files_the_one_that_is_not_understood_is_told(embedded_kafka: Kafka, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "b").write_bytes(KUMOMTA)
    (tmp_path / "logs" / "a").write_bytes(KUMOMTA[: KUMOMTA.rfind(b"\n")][:-10])
    (tmp_path / "logs" / "c").write_bytes(b"hello\n")
    code, said, errors = run(embedded_kafka, tmp_path, b"", "--format", "kumomta", "--customer", "house", "logs")
    assert code == 1
    assert said.endswith("; 2 records could not be read\n")
    assert sorted(each.split(": the message")[0] for each in errors) == ["logs/a: line 56", "logs/c: line 1"]


def test_empty_file_is_said_to_be_empty(embedded_kafka: Kafka, tmp_path: Path) -> None:
    code, said, errors = run(embedded_kafka, tmp_path, b"\n", "--format", "kumomta", "log")
    assert (code, said, errors) == (0, "sent 0 events; 0 records could not be read\n", ["log: is empty"])


def test_few_bad_lines_are_reported_with_their_places_and_no_other_format(
    embedded_kafka: Kafka, tmp_path: Path
) -> None:
    code, _, errors = run(embedded_kafka, tmp_path, KUMOMTA + b"oops\n", "--format", "kumomta", "log")
    assert code == 0
    assert len(errors) == 1
    assert errors[0].startswith(f"log: line {len(KUMOMTA.splitlines()) + 1}: the message is not JSON")
