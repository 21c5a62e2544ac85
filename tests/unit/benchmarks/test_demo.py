"""Memory of several processes, as the system tells it."""

from benchmarks.demo import Memory, figures, parsed

TEXT = """00400000-7ffd5a5c9000 ---p 00000000 00:00 0                              [rollup]
Rss:               20480 kB
Pss:               10240 kB
Pss_Dirty:          6144 kB
Pss_Anon:           6144 kB
Pss_File:           4096 kB
"""


def test_a_process_is_told_in_bytes() -> None:
    assert parsed(TEXT) == Memory(20 << 20, 10 << 20, 6 << 20, 4 << 20)
    assert parsed("") == Memory()


def test_peaks_are_told_each_by_itself() -> None:
    samples = [Memory(900_000_000, 500_000_000, 400_000_000, 100_000_000), Memory(800_000_000, 600_000_000, 1, 2)]
    proportional, resident = figures(samples)
    assert (proportional.value, resident.value) == (600.0, 900.0)
    assert samples[0].plus(samples[1]) == Memory(1_700_000_000, 1_100_000_000, 400_000_001, 100_000_002)
