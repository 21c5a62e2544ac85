"""What all tests share: how examples are drawn, where files are kept, one Apache Kafka, and which tests one process
runs after another.

Examples are drawn without a time limit, since a busy machine is no defect. With HYPOTHESIS_PROFILE=quick few examples,
always the same: for `make mutants`, which runs the tests hundreds of times.
"""

import gc
import importlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.real_kafka import KafkaUnavailableError, RealKafka
from tests.support.temporary_folder import keep_in_memory

keep_in_memory()

#: After which part of a run in several processes no slow test is begun.
SLOW_UPTO = 0.75
GOLDEN = (math.sqrt(5) - 1) / 2

settings.register_profile("usual", deadline=None)
settings.register_profile(
    "quick", deadline=None, max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that nobody can read are named by their argument: those of a packed file differ from one process to the
    next by the time in it, and processes that share tests must have the same names for them."""
    unreadable = isinstance(val, bytes) and not (val.isascii() and val.decode("ascii").isprintable())
    return argname if unreadable else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collecting makes a million objects, and next to nothing of them becomes garbage: nobody looks for it meanwhile,
    which took a quarter of the time of each process."""
    gc.disable()
    try:
        if worker := getattr(session.config, "workerinput", None):
            _import_in_turn(session.config, int(worker["workerid"].removeprefix("gw")), worker["workercount"])
        return (yield)
    finally:
        gc.enable()


def _import_in_turn(config: pytest.Config, number: int, count: int) -> None:
    """Import the modules that are to be collected anyway, each process from another place on. What one compiled, the
    others find: in a fresh checkout all of them would compile every module, in the same order at the same time."""
    root = config.rootpath
    asked = (config.invocation_params.dir / each.partition("::")[0] for each in config.args)
    found = {file for each in asked for file in ([each] if each.is_file() else each.rglob("test_*.py"))}
    names = sorted(".".join(file.relative_to(root).with_suffix("").parts) for file in found)
    first = len(names) * number // count
    for name in (*names[first:], *names[:first]):
        # What is wrong with it is said when it is collected.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes (`-n 3 --dist loadgroup`) one of them runs all tests with Kafka, one all tests with a
    browser, and one all tests that share a fixture of their module, since each would start its own. Any other test goes
    to the process that is free.

    The largest groups are begun first, then the other tests, those of all modules mixed (`_mixed`).
    """
    free: list[pytest.Item] = []
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") else _module_with_fixtures(item)
        if "browser" in getattr(item, "fixturenames", ()):
            group = "browser"
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
        else:
            free.append(item)
    if config.getoption("loadgroup", default=False):
        places = _mixed(free)
        items.sort(key=lambda item: places.get(item, -1.0))


def _mixed(free: Sequence[pytest.Item]) -> Mapping[pytest.Item, float]:
    """When in the run a test of no group is begun, from 0 to 1: those of each module are spread over all of it, each
    module from another place on (multiples of the golden ratio are spread evenly, however many there are). Tests that
    start a whole `repmon up` and wait for it stand beside each other in their modules: all processes would wait at
    a time, and both cores with them. In the last part are only the quick ones of `unit`, so that nobody waits for a
    slow one in the end.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    for item in free:
        modules.setdefault(item.path, []).append(item)
    return {
        item: (number + module * GOLDEN % 1.0) / len(each) * (1.0 if "unit" in item.path.parts else SLOW_UPTO)
        for module, each in enumerate(modules.values())
        for number, item in enumerate(each)
    }


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist does not see the groups: each process would start its own Kafka.

    What is there now is there to the end: the 400,000 objects of the collected tests and of what they import are not
    looked through for garbage again.
    """
    if session.config.getoption("loadgroup", default=False):
        for item in session.items:
            mark = item.get_closest_marker("xdist_group")
            if mark and not item.nodeid.endswith(f"@{mark.args[0]}"):
                raise pytest.UsageError(f"this pytest-xdist does not group the tests of this pytest: {item.nodeid}")
    gc.collect()
    gc.freeze()


def _module_with_fixtures(item: pytest.Item) -> str:
    """The path of the test's module if some fixture that it uses is made once a module; otherwise empty."""
    assert isinstance(item, pytest.Function)
    found = (each for named in item._fixtureinfo.name2fixturedefs.values() for each in named)
    return item.nodeid.partition("::")[0] if any(each.scope == "module" for each in found) else ""


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Apache Kafka. Skips the test where this machine cannot run it; fails it where `CI` is set."""
    started = RealKafka(tmp_path_factory.mktemp("kafka"))
    try:
        started.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield started
    started.stop()
