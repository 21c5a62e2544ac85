#!/usr/bin/env bash
# Title: pydnsbl says "blacklisted" although the provider's own interpretation says that the answer is no listing
# Date: 2026-11-29
# Versions: pydnsbl 1.1.7, aiodns 3.6.1, pycares 4.11.0
# One would guess: Provider.process_response() is where an answer is interpreted, "according to the specification" of the
#   list. A provider that returns no category for 127.255.255.254 (Spamhaus: asked through a public resolver) has
#   said that nothing is listed.
# What happens: `blacklisted` is set before process_response() is asked, for any answer at all, and `detected_by` names
#   the zone with an empty list of categories. Of the package's own providers, the one for Spamhaus gives such an
#   answer the category `unknown`, and those without one of their own any answer at all, also SURBL's 127.0.0.1.
# Why it matters: a list that refuses to answer makes every address asked about look listed, all customers at once.
#   Answers must be judged before they reach DNSBLResult, never by its `blacklisted`.
# Source: Spamhaus, "DNSBL return codes" (https://www.spamhaus.org/faqs/dnsbl-usage/): 127.255.255.252 to .255 are
#   errors; SURBL, "Implementation guidelines" (https://surbl.org/guidelines): 127.0.0.1 means that access is blocked;
#   RFC 5782 section 2.1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydnsbl==1.1.7 aiodns==3.6.1 pycares==4.11.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from pydnsbl.checker import DNSBLResponse, DNSBLResult
from pydnsbl.providers import BASE_DOMAIN_PROVIDERS, Provider, ZenSpamhaus
from pycares import ares_query_a_result

print("pydnsbl", version("pydnsbl"), "aiodns", version("aiodns"), "pycares", version("pycares"))


class Careful(Provider):
    """Takes only what the list documents as a listing."""

    def process_response(self, response):
        return {"spam"} if any(each.host in ("127.0.0.2", "127.0.0.3") for each in response) else set()


def answer(host):
    found = ares_query_a_result.__new__(ares_query_a_result)
    found.host, found.ttl = host, 60
    return [found]


surbl = next(each for each in BASE_DOMAIN_PROVIDERS if each.host == "multi.surbl.org")
said = {}
for name, provider, host in (
    ("own provider, refused", Careful("zen.spamhaus.org"), "127.255.255.254"),
    ("ZenSpamhaus, refused", ZenSpamhaus(), "127.255.255.254"),
    ("multi.surbl.org, blocked", surbl, "127.0.0.1"),
):
    result = DNSBLResult("192.0.2.1", [DNSBLResponse("192.0.2.1", provider, answer(host))])
    said[name] = (result.blacklisted, result.detected_by[provider.host])
    print(f"{name}: {host} -> blacklisted {result.blacklisted}, detected by {result.detected_by}")
expected = {
    "own provider, refused": (True, []),
    "ZenSpamhaus, refused": (True, ["unknown"]),
    "multi.surbl.org, blocked": (True, ["unknown"]),
}
sys.exit(0 if said == expected else f"this has changed: {said}")
PYTHON
