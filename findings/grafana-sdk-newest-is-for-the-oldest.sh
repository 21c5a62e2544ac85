#!/usr/bin/env bash
# Title: Grafana's foundation SDK asked for as ">=11" is the one for Grafana 10.1, and as "<12" the one for Grafana 13
# Date: 2026-11-30
# Versions: grafana-foundation-sdk 1769699998!10.1.0 and 0.0.21 (PyPI). Needs python3
# One would guess: the release with the highest version is the newest and is for the newest Grafana; "grafana-foundation-sdk>=11"
#   leaves out what is for Grafana 10, and "<12" what came later than 11.
# What happens: until January 2026 each release was made once for every Grafana, with the time of its making as the epoch of
#   its version: 1769699998!10.1.0, 1769699932!10.2.0, ... 1769699379!11.6.0. An epoch goes before everything (PEP 440), and
#   that for 10.1 was made last, so it is the highest of all: a plain install takes it, and so does ">=11", since any epoch is
#   above 11. The releases since then, whose dashboards are those of Grafana 12 and 13, are numbered 0.0.x without an epoch and are lower than all of
#   them: only "<12" or an exact version finds them. Dashboards built with the former have schema version 36 and there is no
#   builder for Grafana's new dashboard API; with the latter it is 42 and there is.
# Why it matters: dashboards as code are built for a Grafana that is years older than the one they are sent to, and nothing
#   fails. Name the exact version.
# Source: PEP 440, "Version epochs"; https://pypi.org/project/grafana-foundation-sdk/#history
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# No later than what had been published that day, so that the answer stays the same.
LAST='<=1769699998!10.1.0'
for asked in "plain:$LAST" "from-11:>=11,$LAST" "below-12:<12,<=0.0.21"; do
  python3 -m venv "$folder/${asked%%:*}"
  "$folder/${asked%%:*}/bin/pip" install --quiet --disable-pip-version-check "grafana-foundation-sdk${asked#*:}"
  "$folder/${asked%%:*}/bin/python" - "${asked%%:*}" >>"$folder/found" <<'PYTHON'
import pkgutil
import sys
from importlib.metadata import version

from grafana_foundation_sdk import models
from grafana_foundation_sdk.builders.dashboard import Dashboard

names = {each.name for each in pkgutil.iter_modules(models.__path__)}
schema = Dashboard("mail").build().schema_version
print(f"{sys.argv[1]:9} {version('grafana-foundation-sdk'):19} schema {schema}, new dashboards: {'dashboardv2' in names}")
PYTHON
done
cat "$folder/found"
diff - "$folder/found" <<'FOUND'
plain     1769699998!10.1.0   schema 36, new dashboards: False
from-11   1769699998!10.1.0   schema 36, new dashboards: False
below-12  v0.0.21             schema 42, new dashboards: True
FOUND
