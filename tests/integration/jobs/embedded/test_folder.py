"""The data folder of the embedded default: one process at a time, and what is kept in it."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jobs.embedded.folder import HASH_KEY, READER_KEY, RUNNING, DataFolder, Running
from jobs.embedded.reach import reached
from schemas.settings import ClickHouse, Embedded, Kafka, Settings, SettingsError
from tests.support.root import ROOT

HOLDER = """
import sys
from pathlib import Path
from jobs.embedded.folder import DataFolder
DataFolder(Path(sys.argv[1])).take()
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that does not exist, nor its parent."""
    return tmp_path / "new" / "data"


@pytest.fixture
def held(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, holding the folder until it is killed or asked to end."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        yield other
        other.kill()


def running(pid: int) -> Running:
    return Running(
        pid=pid,
        kafka=Kafka(bootstrap="127.0.0.1:19092"),
        clickhouse=ClickHouse(url="http://127.0.0.1:18123", password="hush"),
        api="http://127.0.0.1:18080",
    )


def settings(path: Path) -> Settings:
    return Settings(embedded=Embedded(data=str(path)))


@pytest.mark.usefixtures("held")
def test_folder_held_by_another_process_is_refused(path: Path) -> None:
    with pytest.raises(SettingsError, match=f"data folder {path}: another repmon is running in it"):
        DataFolder(path).take()


def test_lock_of_a_killed_process_is_free(path: Path, held: "subprocess.Popen[str]") -> None:
    held.kill()
    held.wait(10)
    DataFolder(path).take()


@pytest.mark.usefixtures("held")
def test_refused_opener_leaves_what_the_holder_announced(path: Path) -> None:
    DataFolder(path).announce(running(os.getpid()))
    second = DataFolder(path)
    with pytest.raises(SettingsError):
        second.take()
    second.give_back()
    assert (path / RUNNING).exists()


def test_folder_given_back_can_be_taken_again(path: Path) -> None:
    first, second = DataFolder(path), DataFolder(path)
    first.take()
    first.announce(running(os.getpid()))
    first.give_back()
    assert not (path / RUNNING).exists()
    second.take()
    with pytest.raises(SettingsError, match="another repmon"):
        first.take()
    second.give_back()


def test_folder_under_a_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, why in ((file, "File exists"), (file / "data", "Not a directory")):
        folder = DataFolder(path)
        with pytest.raises(SettingsError, match=f"^data folder {path}: cannot be written: {why}$"):
            folder.take()
        folder.give_back()


def test_hash_key_is_made_once_kept_between_starts_and_private(path: Path) -> None:
    keys = []
    for _ in range(2):
        folder = DataFolder(path)
        folder.take()
        keys.append(folder.hash_key(""))
        folder.give_back()
    assert keys[0] == keys[1]
    assert len(keys[0]) == 64
    assert stat.S_IMODE((path / HASH_KEY).stat().st_mode) == 0o600


def test_configured_hash_key_is_used_and_none_is_made(path: Path) -> None:
    folder = DataFolder(path)
    folder.take()
    assert folder.hash_key("mine") == "mine"
    assert not (path / HASH_KEY).exists()
    folder.give_back()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_is_its_owners_alone(path: Path) -> None:
    DataFolder(path).make()
    assert mode(path) == 0o700


@pytest.mark.parametrize("left_by_an_earlier_run", [False, True])
def test_own_folder_that_others_may_enter_is_closed_to_them(path: Path, left_by_an_earlier_run: bool) -> None:
    path.mkdir(parents=True)
    if left_by_an_earlier_run:
        (path / HASH_KEY).write_text(f"{'0f' * 32}\n")
        (path / HASH_KEY).chmod(0o644)
    path.chmod(0o755)
    folder = DataFolder(path)
    folder.make()
    folder.hash_key("")
    assert (mode(path), mode(path / HASH_KEY)) == (0o700, 0o600)


def test_folder_with_other_things_is_left_as_it_is_and_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may be somebody's home."""
    path.mkdir(parents=True)
    (path / "letters.txt").touch()
    path.chmod(0o755)
    DataFolder(path).make()
    assert mode(path) == 0o755
    assert caplog.messages == [f"data folder {path}: others may enter it (mode 755); it should be 700"]


def test_secret_is_never_written_into_a_file_that_others_may_read(path: Path) -> None:
    """Even where one is left of a process that was killed."""
    folder = DataFolder(path)
    folder.make()
    (path / "running.part").touch(0o644)
    folder.announce(running(1))
    assert mode(path / RUNNING) == 0o600


@pytest.fixture
def announced(path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(path)
    folder.take()
    folder.announce(running(os.getpid()))
    yield folder
    folder.give_back()


def test_other_commands_reach_what_runs_in_the_folder(path: Path, announced: DataFolder) -> None:
    found = reached(settings(path))
    assert (found.kafka, found.clickhouse) == (running(0).kafka, running(0).clickhouse)
    assert found.ingest.hash_key == announced.hash_key("")
    assert stat.S_IMODE((path / RUNNING).stat().st_mode) == 0o600


OWN_BROKER = Kafka(bootstrap="broker:9092")
OWN_STORE = ClickHouse(url="http://store:8123")


@pytest.mark.usefixtures("announced")
def test_broker_and_store_are_each_replaced_unless_their_address_is_configured(path: Path) -> None:
    found = reached(msgspec.structs.replace(settings(path), kafka=OWN_BROKER))
    assert (found.kafka, found.clickhouse) == (OWN_BROKER, running(0).clickhouse)
    found = reached(msgspec.structs.replace(settings(path), clickhouse=OWN_STORE))
    assert (found.kafka, found.clickhouse) == (running(0).kafka, OWN_STORE)
    configured = msgspec.structs.replace(settings(path), kafka=OWN_BROKER, clickhouse=OWN_STORE)
    assert reached(configured) == configured


@pytest.mark.usefixtures("announced")
def test_other_options_of_the_two_sections_stay_as_they_are_configured(path: Path) -> None:
    """The names of a user and of a database belong to the store that runs."""
    found = reached(
        msgspec.structs.replace(
            settings(path),
            kafka=Kafka(group="mine", options={"client.rack": "r1"}),
            clickhouse=ClickHouse(timeout_s=60.0, user="me", password="mine", database="other"),
        )
    )
    assert found.kafka == msgspec.structs.replace(running(0).kafka, group="mine", options={"client.rack": "r1"})
    assert found.clickhouse == msgspec.structs.replace(running(0).clickhouse, timeout_s=60.0)


@pytest.mark.usefixtures("announced")
def test_folder_is_found_however_its_path_is_spelled(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, elsewhere = tmp_path / "link", tmp_path / "elsewhere"
    link.symlink_to(path)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(path.parent))
    for spelling in (str(link), "../new/data", f"{path}/", f"{path}/../data", "~/data"):
        assert DataFolder(spelling).path == path
        assert reached(Settings(embedded=Embedded(data=spelling))).clickhouse == running(0).clickhouse


def test_folder_in_a_working_folder_that_is_gone_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingsError, match=r"^data folder data: No such file or directory$"):
        DataFolder("data")
    assert reached(Settings()) == Settings()


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"k" * 65, "holds 65 bytes in place of 1 to 64"),
        (b"\xff", "is not text"),
    ],
)
def test_hash_key_that_cannot_be_used_is_named_with_its_file_and_kept(path: Path, content: bytes, wrong: str) -> None:
    """Another key in its place would tell every recipient apart from the one before."""
    folder = DataFolder(path)
    folder.make()
    (path / HASH_KEY).write_bytes(content)
    with pytest.raises(SettingsError, match=rf"^{path / HASH_KEY}: {wrong}; it keys the hashes of recipients: "):
        folder.hash_key("")
    assert (path / HASH_KEY).read_bytes() == content


def test_folder_that_is_given_back_and_not_unlocked_stays_ours(path: Path) -> None:
    """It can no longer be reached."""
    folder = DataFolder(path)
    folder.take()
    folder.announce(running(os.getpid()))
    folder.give_back(unlock=False)
    assert not (path / RUNNING).exists()
    with pytest.raises(SettingsError, match="another repmon"):
        DataFolder(path).take()
    folder.give_back()
    DataFolder(path).take()


def test_what_no_longer_runs_is_not_reached(path: Path, held: "subprocess.Popen[str]") -> None:
    DataFolder(path).announce(running(held.pid))
    assert reached(settings(path)) != settings(path)
    held.kill()
    held.wait(10)
    assert reached(settings(path)) == settings(path)


def test_folder_in_which_nothing_ran_yet_changes_nothing(path: Path) -> None:
    assert reached(settings(path)) == settings(path)
    assert not path.exists()


def test_readers_password_is_made_once_and_kept_private(path: Path) -> None:
    folder = DataFolder(path)
    folder.make()
    password = folder.reader_password()
    file = folder.path / READER_KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert DataFolder(path).reader_password() == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_readers_password_that_was_cut_short_is_named_with_its_file(path: Path) -> None:
    folder = DataFolder(path)
    folder.make()
    (folder.path / READER_KEY).write_text("short")
    with pytest.raises(SettingsError, match=r"grafana\.key: holds 5 characters .* remove it"):
        folder.reader_password()
