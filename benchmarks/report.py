"""Writes benchmarks/RESULTS.md, and its charts, from the files in benchmarks/results.

    python -m benchmarks.report

A benchmark that is not known here still gets a section, with a table of its figures: to add one, write its file with
`results.save` and, if figures in a table are not enough, a function in `SECTIONS`.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks import svg
from benchmarks.results import FOLDER, Figure, Result, Run, load

REPORT = Path(__file__).with_name("RESULTS.md")
NAMES = {
    "raw": "raw client, canonical",
    "ours": "repmon ingest, canonical",
    "raw-kumomta": "raw client, KumoMTA",
    "ours-kumomta": "repmon ingest, KumoMTA",
    "loop": "hand-written loop",
    "bytewax": "Bytewax",
    "quix": "Quix Streams",
    "faust": "Faust",
    "ours-served": "repmon ingest, store outside",
    "loop-same": "hand-written loop, same work",
    "bytewax-same": "Bytewax, same work",
    "quix-same": "Quix Streams, same work",
}
SAME_WORK = (
    "decodes, checks, leaves repetitions out, counts in five dimensions by customer, stream, minute and type, stores "
    "that too"
)
WORK = {
    "raw": "takes the messages, decodes nothing: the limit",
    "raw-kumomta": "the same with the larger log records",
    "ours": "everything: decode, check, classify, leave repetitions out, count, store, announce",
    "ours-kumomta": "the same from KumoMTA's log records",
    "loop": "decodes, counts by customer and minute in one dictionary, stores nothing",
    "ours-served": "everything, into a store that a process of its own serves",
    "loop-same": SAME_WORK,
    "bytewax-same": SAME_WORK,
    "quix-same": SAME_WORK,
}
OTHERS_WORK = "decodes, counts by customer and minute, stores nothing but its own state"
RATIOS = (
    ("ours", "raw"),
    ("ours-kumomta", "raw-kumomta"),
    ("ours", "loop"),
    ("ours", "bytewax"),
    ("ours", "quix"),
    ("ours", "faust"),
    *((one, f"{other}-same") for one in ("ours", "ours-served") for other in ("loop", "bytewax", "quix")),
)


def throughput(result: Result, folder: Path) -> Iterator[str]:
    """One process: contenders, ratios, a chart."""
    runs = by(result.runs, lambda run: run.contender)
    rates = {name: median(run.rate for run in each) for name, each in runs.items()}
    cpu = {name: median(run.cpu_per_million for run in each) for name, each in runs.items()}
    yield (
        "One process each, one after the other, on the same broker. Seconds run from the first message taken to the "
        "last one done; `repmon ingest` is done when the last offset is stored in the store inside its process. After "
        "each run every count in the store was compared with what was produced, by customer and minute; of the others "
        "the totals and the number of windows. The client library of the others (not of Faust, which has another) is "
        "set to go on fetching when its queue is full (`fetch.queue.backoff.ms` 20; by default it pauses for a second)."
        " Those with the same work insert into a store that a process of its own serves, as the product does there; "
        "its processor time is told apart. What they stored is compared likewise. They keep no evidence, do not say "
        "why a bounce bounced, count late outcomes where they come, and may count twice after a crash."
    )
    yield table(
        (
            "contender",
            "events",
            "events/s",
            "lowest to highest",
            "CPU s a million",
            "store's",
            "peak MB",
            "what it does",
        ),
        (
            (
                NAMES.get(name, name),
                f"{each[0].events:,}",
                f"**{rates[name]:,.0f}**",
                spread([run.rate for run in each]),
                f"{cpu[name]:.1f}",
                store_cpu(each),
                f"{max(run.peak_bytes for run in each) / 1e6:,.0f}",
                WORK.get(name, OTHERS_WORK),
            )
            for name, each in runs.items()
        ),
    )
    yield table(
        ("ratio of", "events/s", "events a CPU second"),
        (
            (
                f"{NAMES[one]} / {NAMES[other]}",
                f"**{rates[one] / rates[other]:.2f}**",
                f"{cpu[other] / cpu[one]:.2f}",
            )
            for one, other in RATIOS
            if one in rates and other in rates
        ),
    )
    chart = svg.bars([(NAMES.get(name, name), rate, name.startswith("ours")) for name, rate in rates.items()])
    yield picture(folder, "throughput", "Events a second of each contender", chart)


def scaling(result: Result, folder: Path) -> Iterator[str]:
    """Several processes: the table and the curve."""
    runs = by(result.runs, lambda run: str(run.workers))
    rates = {int(workers): median(run.rate for run in each) for workers, each in runs.items()}
    alone = rates.get(1, 0.0)
    yield (
        "`repmon ingest` processes on one topic and one store that a process of its own serves over HTTP. Workers, "
        f"broker and store share {result.machine.cores} cores: once these are busy, more workers cannot be faster."
    )
    yield table(
        ("processes", "events/s", "lowest to highest", "times one", "workers' CPU s a million", "store's", "peak MB"),
        (
            (
                workers,
                f"**{rates[int(workers)]:,.0f}**",
                spread([run.rate for run in each]),
                f"{rates[int(workers)] / alone:.2f}" if alone else "",
                f"{median(run.cpu_per_million for run in each):.1f}",
                f"{median(run.store_cpu_seconds / run.events * 1e6 for run in each):.1f}",
                f"{max(run.peak_bytes for run in each) / 1e6:,.0f}",
            )
            for workers, each in runs.items()
        ),
    )
    chart = svg.curve(sorted(rates.items()), "processes", "events/s (dashed: in proportion to one)")
    yield picture(folder, "scaling", "Events a second by number of processes", chart)


def memory(result: Result, _folder: Path) -> Iterator[str]:
    """The worst case of cardinality."""
    yield (
        "One `repmon ingest` process, every customer at 20 mailbox providers, in an order in which nearly every event "
        "has a key of its own. What is measured is memory: other programs may have had the processors meanwhile."
    )
    yield table(
        ("", "events", "peak MB", "store's peak MB"),
        (
            (
                run.contender,
                f"{run.events:,}",
                f"**{run.peak_bytes / 1e6:,.0f}**",
                f"{run.store_peak_bytes / 1e6:,.0f}" if run.store_peak_bytes else "in it",
            )
            for run in result.runs
        ),
    )


def figures(result: Result, _folder: Path) -> Iterator[str]:
    """Any other benchmark: its figures."""
    yield table(
        ("", "", ""), ((each.name, f"**{number(each.value)}** {each.unit}", each.note) for each in result.figures)
    )


def soak(result: Result, folder: Path) -> Iterator[str]:
    """Whether anything grows, lags or miscounts in half an hour."""
    yield (
        "Two ingest workers, two monitors and a store process on Apache Kafka, at half of the rate that they can count "
        "(unless the command says another), while faults and restarts strike the second worker and monitor, the broker "
        "and the way to the store. Looked at are those that live all along, after a warm-up of a third of the time. "
        "Memory is what no file holds. Its slope is the median of the slopes between twelve parts of the time (Theil "
        "and Sen), with bounds by ranks that hold the truth with 95 %: it *grows* where the lower one is above 1 % an "
        "hour, is *steady* where the upper one is not, and else the run was too short, or memory went up and down too "
        "much, to say."
    )
    yield from figures(result, folder)


def verdicts(result: Result, _folder: Path) -> Iterator[str]:
    """Whether verdicts may be believed: a table for each question."""
    yield (
        "Made-up fleets whose truth is known, judged by the built-in policy through the product's own functions "
        "(`benchmarks/verdicts/`, with the sources of its parameters; `make verdicts` repeats it). Good senders: 60 "
        "days, looked at every 5 minutes, every true rate at most half of the mildest threshold, as many of each size "
        "as of the others; each is two months. Bad ones: looked at every minute; found is excessive or worse, unless "
        "it says otherwise."
    )
    tables: dict[str, list[Figure]] = {}
    for each in result.figures:
        tables.setdefault(each.name.partition(": ")[0], []).append(each)
    for heading, some in tables.items():
        rows = [(each.name.partition(": ")[2], f"**{number(each.value)}** {each.unit}", each.note) for each in some]
        yield table((heading, "", ""), rows)


Section = Callable[[Result, Path], Iterator[str]]
#: Heading and section of each benchmark, in the order of the report.
SECTIONS: dict[str, tuple[str, Section]] = {
    "throughput": ("Throughput of one process", throughput),
    "scaling": ("Several processes", scaling),
    "memory": ("Memory with very many customers", memory),
    "reach": ("Everything in one process, and how late an alert is", figures),
    "notify": ("From an alert to its webhook", figures),
    "http_api": ("A customer's month over HTTP", figures),
    "erase": ("Erasing a customer", figures),
    "dashboards": ("Panels of the dashboards, on 10,000 customers and 30 days", figures),
    "console": ("The console in front of 10,000 customers", figures),
    "demo": ("Memory of the demo", figures),
    "steady": ("10,000 customers in the order of time", figures),
    "flow": ("Judged in a steady flow of changes", figures),
    "intake_pairs": ("Next to an earlier commit", figures),
    "log_pairs": ("Log files next to an earlier commit", figures),
    "durable": ("What fsync costs", figures),
    "soak": ("Half an hour with faults and rolling restarts", soak),
    "upgrade": ("Upgrading from the oldest tables, with the code of that time", figures),
    "recount": ("Counting a time again", figures),
    "backup": ("A backup, and the store restored from it", figures),
    "verdicts": ("Verdicts", verdicts),
    "startup": ("How long commands take to start", figures),
    "image_size": ("How large the image is", figures),
}


def report(results: dict[str, Result], folder: Path) -> str:
    """The whole report; charts are written to `folder`."""
    order = [*(name for name in SECTIONS if name in results), *sorted(results.keys() - SECTIONS.keys())]
    parts = [
        "# What was measured",
        "Written by `python -m benchmarks.report` from `results/*.json`; `make bench`, `make bench-speed` repeat it.",
    ]
    for name in order:
        result = results[name]
        heading, section = SECTIONS.get(name, (name.replace("_", " ").capitalize(), figures))
        parts += [f"## {heading}", *section(result, folder), measured_on(result)]
    return "\n\n".join(parts) + "\n"


def measured_on(result: Result) -> str:
    """When, how and on what."""
    machine = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"<sub>{result.date}, commit {result.commit}, `{result.command}`: {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gib:g} GiB, {machine.system}, Python {machine.python}, {packages}.</sub>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others numbers or notes."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(folder: Path, name: str, what: str, chart: str) -> str:
    """Write a chart and refer to it."""
    (folder / f"{name}.svg").write_text(chart)
    return f"![{what}](results/{name}.svg)"


def by(runs: Sequence[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    """The runs by a key, in the order in which the keys came first."""
    order = list(dict.fromkeys(map(key, runs)))
    groups = groupby(sorted(runs, key=lambda run: order.index(key(run))), key)
    return {name: list(each) for name, each in groups}


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def store_cpu(runs: Sequence[Run]) -> str:
    """Processor seconds a million of a store outside; nothing where there is none."""
    used = median(run.store_cpu_seconds / run.events * 1e6 for run in runs)
    return f"{used:.1f}" if used else ""


def spread(values: Sequence[float]) -> str:
    """The lowest and the highest."""
    return f"{min(values):,.0f} to {max(values):,.0f}" if len(values) > 1 else "one run"


def number(value: float) -> str:
    """Whole where it is large."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def main(arguments: list[str]) -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description="Write the report from the result files.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the result files are")
    folder = parser.parse_args(arguments).folder
    text = report(load(folder), folder)
    if folder == FOLDER:
        REPORT.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
