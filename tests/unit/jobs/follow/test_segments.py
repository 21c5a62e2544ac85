"""KumoMTA's own segments of its log, followed as they grow: zstd streams in a folder."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.follow import segments
from jobs.follow.follower import Follower
from jobs.follow.segments import LINGER_S
from tests.unit.jobs.follow.site import Site

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor


def record(message_id: str, kind: str = "Delivery", code: int = 250, content: str = "OK") -> str:
    status = f'"code":{code},"enhanced_code":null,"content":"{content}","command":null'
    return (
        f'{{"type":"{kind}","id":"{message_id}","sender":"b@acme.example","recipient":"{message_id}@gmail.com",'
        f'"queue":"news:acme@gmail.com","site":"mx","size":9,"response":{{{status}}},"timestamp":1741003200,'
        '"created":1741003199,"num_attempts":1,"egress_pool":"a","egress_source":"a","bounce_classification":"x",'
        '"meta":{},"headers":{}}\n'
    )


class Segment:
    """One that KumoMTA writes; what is not flushed is not in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = ZstdCompressor()
        path.touch()

    def write(self, text: str, *, flush: bool = True) -> None:
        data = self._stream.compress(text.encode())
        self._append(data + (self._stream.flush(ZstdCompressor.FLUSH_BLOCK) if flush else b""))

    def end(self) -> None:
        self._append(self._stream.flush(ZstdCompressor.FLUSH_FRAME))
        self.done()

    def done(self) -> None:
        """Also of one that was not ended, as KumoMTA does when it starts again."""
        self.path.chmod(0o444)

    def _append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)


class Folder(Site):
    """KumoMTA's folder, and who follows it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "kumomta"
        self.path.mkdir()

    def segment(self, name: str) -> Segment:
        return Segment(self.path / name)

    def start(self, format_name: str = "kumomta") -> Follower:
        return super().start(format_name)

    def step(self, later_s: float = 2.0) -> None:
        """Once more, so that what came at the end of it is acknowledged too."""
        super().step(later_s)
        super().step(2)


@pytest.fixture
def site(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_all_segments_are_read_and_the_last_one_as_it_grows(site: Folder) -> None:
    first, last = site.segment("20250303-101112.5"), site.segment("20250303-101212.25")
    first.write(record("m1"))
    first.end()
    last.write(record("m2"))
    site.start()
    site.step()
    assert site.sent == ["m1", "m2"]
    half = record("m3")
    last.write(half[:50])
    site.step()
    last.write(half[50:] + record("m4"), flush=False)
    site.step()
    assert site.sent == ["m1", "m2"]
    last.write("")
    site.step()
    last.write(record("m5"))
    last.end()
    later = site.segment("20250303-101312.1")
    site.step()
    later.write(record("m6"))
    site.step()
    assert site.sent == ["m1", "m2", "m3", "m4", "m5", "m6"]
    assert site.told == []
    site.stop()


@pytest.mark.parametrize("end", [Site.stop, Site.kill])
@pytest.mark.parametrize("remembers", [True, False], ids=["with its memory", "without"])
def test_restart_loses_and_repeats_nothing(site: Folder, end: Callable[[Site], None], remembers: bool) -> None:
    """An expiry carries the last reply, also where that is in a segment which was read before the restart."""
    first, second = site.segment("20250303-101112.5"), site.segment("20250303-101212.25")
    first.write(record("m1"))
    first.end()
    second.write(record("m2", "TransientFailure", 421, "due to user complaints"))
    follower = site.start()
    site.step()
    end(site)
    if not remembers:
        next(follower.store.place.parent.glob("*.memory")).unlink()
    second.write(record("m3"))
    second.end()
    third = site.segment("20250303-101312.75")
    third.write(record("m2", "Expiration", 551, "expired") + record("m4"))
    site.start()
    site.step()
    assert site.sent == ["m1", "m2", "m3", "m2", "m4"]
    assert (site.events[3].type, site.events[3].diagnostic) == ("expired", "due to user complaints")
    end(site)
    site.start()
    site.step()
    assert len(site.sent) == 5
    site.stop()


def test_segment_that_was_cut_off_is_read_as_far_as_it_goes_and_told_of(site: Folder) -> None:
    cut = site.segment("20250303-101112.5")
    cut.write(record("m1"))
    cut.write(record("m2"), flush=False)
    site.start()
    site.step()
    cut.done()
    site.segment("20250303-101113").done()
    damaged = site.path / "20250303-101114"
    damaged.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([255]) * 50)
    later = site.segment("20250303-101212.25")
    later.write(record("m3"))
    site.step()
    assert site.sent == ["m1", "m3"]
    assert [(each.path, each.reason.partition(":")[0]) for each in site.told] == [
        (cut.path, "is compressed and ends in the middle"),
        (damaged, "cannot be decompressed"),
    ]
    site.stop()


def test_several_segments_grow_at_once_and_files_are_closed_until_they_grow(site: Folder) -> None:
    sent, bounced = site.segment("20250303-101112.5_sent"), site.segment("20250303-101112.6_bounced")
    sent.write(record("m1"))
    bounced.write(record("m2", "Bounce", 550, "no such user"))
    follower = site.start()
    site.step()
    sent.write(record("m3"))
    site.step()
    bounced.write(record("m4", "Bounce", 550, "no such user"))
    site.step()
    assert site.sent == ["m1", "m2", "m3", "m4"]
    site.step(2 * LINGER_S)
    assert follower.log.sources == []
    bounced.write(record("m5", "Bounce", 550, "no such user"))
    bounced.end()
    sent.write(record("m6"))
    site.step()
    assert sorted(site.sent[4:]) == ["m5", "m6"]
    site.stop()


def test_segments_without_mode_are_done_once_their_stream_is(site: Folder) -> None:
    """As rsync copies them from another host, beside a name that is hidden while it is written."""
    whole = site.segment("20250303-101112.5")
    whole.write(record("m1"))
    whole.end()
    whole.path.chmod(0o644)
    (site.path / ".20250303-101113.x").write_bytes(b"?")
    follower = site.start()
    site.step()
    site.step(2 * LINGER_S)
    assert list(follower.log.files) == []
    site.stop()
    assert site.sent == ["m1"]


def test_what_is_kept_stays_small_and_an_older_name_is_read(site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_DONE_NAMES", 3)
    for second in range(10, 20):
        each = site.segment(f"20250303-1011{second}")
        each.write(record(f"m{second}"))
        each.end()
    follower = site.start()
    site.step()
    kept = follower.store.segments()
    assert kept is not None and (len(kept.done), kept.open, kept.through) == (3, {}, "20250303-101116")
    site.stop()
    for name in ("20250303-101118.5", "20250303-101109"):
        late = site.segment(name)
        late.write(record(name[-4:]))
        late.end()
        follower = site.start()
        site.step()
        site.stop()
    # While it runs, whatever comes is new.
    site.start()
    site.step()
    late = site.segment("20250303-101001")
    late.write(record("new"))
    site.step()
    assert site.sent[10:] == ["18.5", "new"]
    site.stop()
