"""Put the self-test of RFC 5782 before zones, through the configured resolvers."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from jobs.blocklists.dnsbl import QueryOptions, ask_verbatim, query_options
from jobs.blocklists.zone_trust import ZoneFamily, probes, verdict
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Family, Zone

#: What to test.
Test = tuple[Zone, Family]


class SelfTests:
    """The tests of one scan: each zone and family is tested once through each resolver it is asked through."""

    def __init__(self, how: QueryOptions) -> None:
        self._how = how
        self._reasons: dict[tuple[ZoneFamily, str], str] = {}
        self._unanswered: set[tuple[ZoneFamily, str]] = set()

    @property
    def reasons(self) -> Mapping[tuple[ZoneFamily, str], str]:
        """Why each zone and family that was tested through a resolver failed there; empty where it passed."""
        return self._reasons

    async def verdicts(self, tests: Collection[Test]) -> dict[ZoneFamily, str]:
        """Why each zone and family failed; empty for those that passed.

        A question without an answer is put to the next resolver. A wrong answer is final: a resolver that gives one
        would give others.

        Raises:
            SettingsError: a resolver is not an IP address.
        """
        found: dict[ZoneFamily, str] = {}
        remaining = list(tests)
        for resolver in self._how.settings.resolvers or [""]:
            found |= await self.through(remaining, resolver)
            remaining = [each for each in remaining if (_zone_family(each), resolver) in self._unanswered]
            if not remaining:
                break
        return found

    async def through(self, tests: Collection[Test], resolver: str) -> dict[ZoneFamily, str]:
        """Why each failed through one resolver.

        Raises:
            SettingsError: the resolver is not an IP address.
        """
        new = [each for each in tests if (_zone_family(each), resolver) not in self._reasons]
        names = [(probe.name, zone) for zone, family in new for probe in probes(zone, family)]
        answers = await ask_verbatim(names, self._how, resolver)
        for zone, family in new:
            tested = ZoneFamily(zone.zone, family), resolver
            self._reasons[tested] = verdict(zone, family, answers)
            if any(answers[probe.name, zone.zone].error is not None for probe in probes(zone, family)):
                self._unanswered.add(tested)
        return {_zone_family(each): self._reasons[_zone_family(each), resolver] for each in tests}


class Tested(NamedTuple):
    """Why a zone and family is not trusted, empty where it is; and where it is, through which resolvers it is not
    asked, each with why."""

    reason: str
    unfit: Mapping[str, str]


async def self_test(tests: Sequence[Test], settings: Blocklists) -> dict[ZoneFamily, Tested]:
    """Every zone and family through every resolver.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    put = SelfTests(query_options(settings))
    verdicts = await put.verdicts(tests)
    passed = [each for each in tests if not verdicts[_zone_family(each)]]
    unfit: dict[ZoneFamily, dict[str, str]] = {held: {} for held in verdicts}
    for resolver in settings.resolvers:
        for held, reason in (await put.through(passed, resolver)).items():
            if reason:
                unfit[held][resolver] = reason
    return {held: Tested(reason, unfit[held]) for held, reason in verdicts.items()}


def _zone_family(test: Test) -> ZoneFamily:
    return ZoneFamily(test[0].zone, test[1])
