"""Policies in their file, and the mistakes that may be made there."""

RULE = """
[[rules]]
name = "complaint"
metric = "complaint"
windows = ["24h"]
min_volume = 1000
levels = { warning = 0.001, excessive = 0.003 }
"""


COUNT = """
[[rules]]
name = "listed"
windows = ["24h"]
levels = { warning = 1 }
"""


FAILURE = RULE.replace("complaint", "failure").replace("0.001", "0.03").replace("0.003", "0.05")


def rule_with(line: str) -> str:
    """The rule with one of its lines replaced, or one more line."""
    field = line.split(" ", 1)[0]
    kept = [each for each in RULE.splitlines() if not each.startswith(field + " ")]
    return "\n".join([*kept, line])


def burn_with(fields: str) -> str:
    """The rule on a burn, with these fields more."""
    return RULE.replace('metric = "complaint"', f'metric = "complaint_burn"\n{fields}')


def override(fields: str) -> str:
    return f'{RULE}\n[[overrides]]\ncustomer = "acme"\nrule = "complaint"\nreason = "agreed"\n{fields}\n'


ERRORS = {
    "not TOML": ("rules = ", "not valid TOML"),
    "no rules": ("rules = []", "rules: must have at least 1 entry"),
    "brake of nobody": (f"brake = {{ customers = 0 }}\n{RULE}", "brake.customers: must be at least 1"),
    "brake of more than everybody": (f"brake = {{ share = 5 }}\n{RULE}", "brake.share: must be at most 1"),
    "brake without time": (f"brake = {{ minutes = 0 }}\n{RULE}", "brake.minutes: must be more than 0"),
    "brake with another field": (
        f"brake = {{ percent = 5 }}\n{RULE}",
        "brake: Object contains unknown field `percent`",
    ),
    "rules missing": ('name = "x"', "`rules` is missing"),
    "unknown key": (f"colour = 1\n{RULE}", "unknown field `colour`"),
    "unknown key in a rule": (
        rule_with("limit = 1"),
        "rule complaint: Object contains unknown field `limit`",
    ),
    "unknown level": (
        rule_with("levels = { bad = 0.1 }"),
        "rule complaint: levels: Object contains unknown field `bad`",
    ),
    "unknown metric": (rule_with('metric = "opens"'), "rule complaint: metric: there is no 'opens'"),
    "rule without windows": (
        rule_with("windows = []"),
        "rule complaint: windows: must have at least 1 entry",
    ),
    "window that is none": (
        rule_with('windows = ["1w"]'),
        "rule complaint: windows[0]: must be text that matches",
    ),
    "window twice": (rule_with('windows = ["24h", "24h"]'), "rule complaint: windows: 24h is given twice"),
    "window not counted": (
        rule_with('windows = ["2h"]'),
        "rule complaint: windows: 2h is not among the policy's windows",
    ),
    "name with spaces": (rule_with('name = "Too Many"'), "rule Too Many: name: must be text that matches"),
    "rule without a name": (
        RULE.replace('name = "complaint"', ""),
        "rules[0]: `name` is missing",
    ),
    "level not a number": (
        rule_with('levels = { warning = "1 %" }'),
        "rule complaint: levels.warning: must be a number, not text",
    ),
    "level zero": (
        rule_with("levels = { warning = 0 }"),
        "rule complaint: levels.warning: must be more than 0",
    ),
    "level not a number at all": (rule_with("levels = { warning = nan }"), "rule complaint: levels.warning"),
    "level above 1": (
        rule_with("levels = { warning = 3 }"),
        "rule complaint: levels.warning: 3 is not a ratio",
    ),
    "no levels": (rule_with("levels = {}"), "rule complaint: levels: none is given"),
    "levels that fall": (
        rule_with("levels = { warning = 0.003, excessive = 0.001 }"),
        "rule complaint: levels: warning (0.003) must be below excessive (0.001)",
    ),
    "levels that are equal": (
        rule_with("levels = { watch = 0.1, critical = 0.1 }"),
        "rule complaint: levels: watch (0.1) must be below critical (0.1)",
    ),
    "volume below 0": (rule_with("min_volume = -1"), "rule complaint: min_volume: must be at least 0"),
    "volume for another window": (
        rule_with('min_volume = { "24h" = 1, "1h" = 1 }'),
        "rule complaint: min_volume: 1h is not a window of this rule",
    ),
    "volume missing for a window": (
        rule_with("min_volume = {}"),
        "rule complaint: min_volume: none for window 24h",
    ),
    "volume key that is no window": (
        rule_with('min_volume = { "day" = 1 }'),
        "rule complaint: min_volume: must be text that matches",
    ),
    "resolve ratio 0": (
        rule_with("resolve_ratio = 0"),
        "rule complaint: resolve_ratio: must be more than 0",
    ),
    "resolve ratio above 1": (
        rule_with("resolve_ratio = 1.1"),
        "rule complaint: resolve_ratio: must be at most 1",
    ),
    "hold below 0": (rule_with("hold_minutes = -1"), "rule complaint: hold_minutes: must be at least 0"),
    "hold without end": (
        rule_with("hold_minutes = inf"),
        "rule complaint: hold_minutes: must be at most",
    ),
    "count with a volume": (
        rule_with('metric = "critical_listing"'),
        "rule complaint: min_volume: critical_listing is a number of listings",
    ),
    "count that is a fraction": (
        RULE.replace('metric = "complaint"', 'metric = "critical_listing"').replace("= 1000", "= 0"),
        "rule complaint: levels.warning: 0.001 is not a whole number",
    ),
    "hours that are a fraction": (
        RULE.replace('metric = "complaint"', 'metric = "listed_hours"').replace("= 1000", "= 0"),
        "rule complaint: levels.warning: 0.001 is not a whole number of hours",
    ),
    "weights of a rate": (rule_with('weights = ["major"]'), "rule complaint: weights: complaint has none"),
    "weight twice": (
        f"""{COUNT}metric = "listing_count"\nweights = ["major", "major"]""",
        "rule listed: weights: major is given twice",
    ),
    "weight that is none": (
        f"""{COUNT}metric = "listing_count"\nweights = ["heavy"]""",
        "rule listed: weights[0]: there is no 'heavy'",
    ),
    "share of what is not attributed": (
        f"""{COUNT}metric = "listing_count"\nmin_share = 0.5""",
        "rule listed: min_share: listing_count has none; attributed_listing has",
    ),
    "share above 1": (
        f"""{COUNT}metric = "attributed_listing"\nmin_share = 1.1""",
        "rule listed: min_share: must be at most 1",
    ),
    "two shares": (
        f"""{COUNT}metric = "attributed_listing"\n{COUNT.replace("listed", "other")}metric = "attributed_listing"
min_share = 0.9""",
        "rule other: min_share: 0.9, rule listed has 0.5; a policy has one",
    ),
    "two least numbers of mail": (
        f"""{COUNT}metric = "new_from_domain"\n{COUNT.replace("listed", "other")}metric = "new_from_domain"
least_mail = 5""",
        "rule other: least_mail: 5, rule listed has 100; a policy has one",
    ),
    "burn without an allowance": (
        burn_with('period = "30d"'),
        "rule complaint: allowance: missing, and complaint_burn needs one",
    ),
    "burn without a period": (
        burn_with("allowance = 0.003"),
        "rule complaint: period: missing, and complaint_burn needs one",
    ),
    "silence of a window that is not counted": (
        f'inactive_after = "12h"\n{RULE}',
        "inactive_after: 12h is not among the policy's windows",
    ),
    "share above the whole": (f"min_observable = 1.5\n{RULE}", "min_observable: must be at most 1"),
    "period that is not counted": (
        burn_with('allowance = 0.003\nperiod = "31d"'),
        "rule complaint: period: 31d is not among the policy's windows",
    ),
    "period that is not longer than a window": (
        burn_with('allowance = 0.003\nperiod = "24h"'),
        "rule complaint: period: 24h is not longer than window 24h",
    ),
    "allowance of everything": (
        burn_with('allowance = 1\nperiod = "30d"'),
        "rule complaint: allowance: must be less than 1",
    ),
    "rate with an allowance": (
        rule_with("allowance = 0.003"),
        "rule complaint: allowance: complaint has none; complaint_burn and failure_burn have",
    ),
    "rate with a period": (
        rule_with('period = "30d"'),
        "rule complaint: period: complaint has none; complaint_burn and failure_burn have",
    ),
    "spike over another window": (
        rule_with('metric = "volume_spike"'),
        "rule complaint: windows: volume_spike is judged over 1h alone",
    ),
    "provider that is none": (
        rule_with('providers = ["microsft"]'),
        "rule complaint: providers: there is no mailbox provider microsft; did you mean microsoft?",
    ),
    "provider twice": (
        rule_with('providers = ["yahoo", "yahoo"]'),
        "rule complaint: providers: yahoo is given twice",
    ),
    "mail of a new domain, of a rate": (
        rule_with("least_mail = 10"),
        "rule complaint: least_mail: complaint has none; new_from_domain has",
    ),
    "providers of listings": (
        f"""{COUNT}metric = "listing_count"\nproviders = ["yahoo"]""",
        "rule listed: providers: listing_count is not known by provider",
    ),
    "rate with a factor": (rule_with("factor = 2"), "rule complaint: factor: complaint has none; volume_spike has"),
    "factor below 1": (
        rule_with('metric = "volume_spike"').replace('"24h"', '"1h"') + "\nfactor = 0.5",
        "rule complaint: factor: must be at least 1",
    ),
    "rule twice": (RULE + RULE, "rules: complaint is given twice"),
    "confidence 1": (f"confidence = 1.0\n{RULE}", "confidence: must be less than 1"),
    "unknown scope": (f'scopes = ["domain"]\n{RULE}', "scopes[0]: there is no 'domain'"),
    "scope twice": (f'scopes = ["customer", "customer"]\n{RULE}', "scopes: customer is given twice"),
    "policy window that is none": (f'windows = ["0h"]\n{RULE}', "windows[0]: must be text that matches"),
    "policy window twice": (f'windows = ["24h", "24h"]\n{RULE}', "windows: 24h is given twice"),
    "window longer than counts are kept": (
        f'windows = ["24h", "401d"]\n{RULE}',
        "windows: 401d is longer than counts are kept (400d)",
    ),
    "override of no rule": (
        override("min_volume = 1").replace('rule = "complaint"', 'rule = "spam"'),
        "override of rule spam for acme: rule: there is no rule spam",
    ),
    "override of nothing": (override(""), "override for acme: levels: neither levels nor min_volume"),
    "override without a reason": (
        override("min_volume = 1").replace('reason = "agreed"', ""),
        "override for acme: `reason` is missing",
    ),
    "override with wrong levels": (
        override('stream = "news"\nlevels = { warning = 0.3, critical = 0.2 }'),
        "override of rule complaint for acme, stream news: levels: warning (0.3) must be below critical",
    ),
    "override with another window": (
        override('min_volume = { "7d" = 1 }'),
        "override of rule complaint for acme: min_volume: none for window 24h",
    ),
    "override twice": (
        override("min_volume = 1") + override("min_volume = 2").removeprefix(RULE),
        "overrides: override of rule complaint for acme is given twice",
    ),
    "override until a time without zone": (
        override("min_volume = 1\nuntil = 2026-12-31T00:00:00"),
        "override for acme: until: must be a time with its time zone, as 2026-01-31T12:00:00Z",
    ),
}
