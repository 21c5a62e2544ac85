"""What the interface answers, as the reference shows it; a test holds each against what is really answered."""

from typing import Any

STANDING: dict[str, Any] = {
    "customer": "acme",
    "time": "2026-03-12T12:34:56Z",
    "scopes": [
        {
            "scope": "customer",
            "standing": "excessive",
            "judged": "excessive",
            "fresh_start": None,
            "since": "2026-03-12T11:00:00Z",
            "inactive_since": None,
            "reasons": ["complaint"],
            "unobservable": [],
            "policy_version": "default@80835b0676a2",
            "scores": {"overall": 38, "complaints": 38, "failures": 90, "blocks": 98, "blacklisting": 75},
            "rates": {
                "complaint": {"numerator": 67, "denominator": 12000, "rate": 0.005583333333333333},
                "failure": {"numerator": 62, "denominator": 24092, "rate": 0.0025734683712435665},
                "block": {"numerator": 30, "denominator": 24092, "rate": 0.001245226631246887},
                "exposure": {"numerator": 2002, "denominator": 24092, "rate": 0.08309812385854226},
            },
            "observable": {"complaint": 0.5, "failure": 1.0, "block": 1.0, "exposure": 1.0},
            "uncounted_complaints": 0,
            "open_alerts": [
                {
                    "alert_id": "99e4dd8d7f9417604d77d241ec8f8cf2",
                    "rule": "complaint",
                    "metric": "complaint",
                    "level": "excessive",
                    "opened": "2026-03-12T11:00:07Z",
                    "changed": "2026-03-12T11:00:07Z",
                    "window": "24h",
                    "numerator": 60,
                    "denominator": 9000,
                    "rate": 0.006666666666666667,
                    "lower": 0.003956034286912288,
                    "upper": 0.010416402980068035,
                    "confidence": 0.9963,
                    "threshold": 0.003,
                    "policy_version": "default@80835b0676a2",
                    "explanation": "60 complaints among 9,000 deliveries at providers with feedback loops, of mail "
                    "sent in the last 24h: 0.67 % (99.63 % interval 0.40 % to 1.04 %), at or above the excessive "
                    "threshold of 0.30 %.",
                    "evidence": {
                        "providers": [{"name": "yahoo", "count": 60, "volume": 9000, "sample": ""}],
                        "ips": [{"name": "192.0.2.1", "count": 60, "volume": 9000, "sample": ""}],
                        "bounce_classes": [],
                        "listings": [],
                        "sample_message_ids": ["20260312.88@mta1.esp.example"],
                        "from_domains": [],
                        "campaigns": [{"name": "spring", "count": 60, "volume": 0, "sample": ""}],
                        "began": "2026-03-12T10:00:00Z",
                        "baseline": {"days": 30, "numerator": 120, "denominator": 200000},
                        "fleet_times": None,
                        "observable": 0.5,
                    },
                    "held_since": None,
                }
            ],
            "allowances": [
                {"rule": "failure", "metric": "failure", "remaining": 123, "level": "warning", "window": "1h"},
                {"rule": "block", "metric": "block", "remaining": 348, "level": "warning", "window": "1h"},
                {
                    "rule": "critical_listing",
                    "metric": "critical_listing",
                    "remaining": 1,
                    "level": "critical",
                    "window": "1h",
                },
            ],
        },
        {
            "scope": "stream:news",
            "standing": "excessive",
            "judged": "excessive",
            "fresh_start": None,
            "since": "2026-03-12T11:00:00Z",
            "inactive_since": None,
            "reasons": ["complaint"],
            "unobservable": [],
            "policy_version": "default@80835b0676a2",
            "scores": {"overall": 38, "complaints": 38, "failures": 89, "blocks": 98, "blacklisting": 84},
            "rates": {
                "complaint": {"numerator": 67, "denominator": 11200, "rate": 0.005982142857142857},
                "failure": {"numerator": 62, "denominator": 23292, "rate": 0.0026618581487205905},
                "block": {"numerator": 30, "denominator": 23292, "rate": 0.001287995878413189},
                "exposure": {"numerator": 1202, "denominator": 23292, "rate": 0.051605701528421775},
            },
            "observable": {"complaint": 0.4827586206896552, "failure": 1.0, "block": 1.0, "exposure": 1.0},
            "uncounted_complaints": 0,
            "open_alerts": [],
            "allowances": [
                {"rule": "failure", "metric": "failure", "remaining": 95, "level": "warning", "window": "1h"},
                {"rule": "block", "metric": "block", "remaining": 264, "level": "warning", "window": "1h"},
                {
                    "rule": "critical_listing",
                    "metric": "critical_listing",
                    "remaining": 1,
                    "level": "critical",
                    "window": "1h",
                },
            ],
        },
        {
            "scope": "stream:receipts",
            "standing": "insufficient_volume",
            "judged": "insufficient_volume",
            "fresh_start": None,
            "since": "2026-03-12T12:00:00Z",
            "inactive_since": None,
            "reasons": [],
            "unobservable": [],
            "policy_version": "default@80835b0676a2",
            "scores": {"overall": None, "complaints": None, "failures": None, "blocks": None, "blacklisting": None},
            "rates": {
                "complaint": {"numerator": 0, "denominator": 800, "rate": 0.0},
                "failure": {"numerator": 0, "denominator": 800, "rate": 0.0},
                "block": {"numerator": 0, "denominator": 800, "rate": 0.0},
                "exposure": {"numerator": 800, "denominator": 800, "rate": 1.0},
            },
            "observable": {"complaint": 1.0, "failure": 1.0, "block": 1.0, "exposure": 1.0},
            "uncounted_complaints": 0,
            "open_alerts": [],
            "allowances": [
                {"rule": "complaint", "metric": "complaint", "remaining": 5, "level": "warning", "window": "30d"},
                {"rule": "failure", "metric": "failure", "remaining": 36, "level": "warning", "window": "30d"},
                {"rule": "block", "metric": "block", "remaining": 101, "level": "warning", "window": "7d"},
                {
                    "rule": "critical_listing",
                    "metric": "critical_listing",
                    "remaining": 1,
                    "level": "critical",
                    "window": "1h",
                },
            ],
        },
    ],
    "reported": [
        {
            "source": "postmaster",
            "resource": "news.acme.example",
            "day": "2026-03-10",
            "measure": "spam_rate",
            "about": "",
            "rate": 0.0012,
            "below": False,
            "number": None,
            "said": "",
        }
    ],
}
RATES: dict[str, Any] = {
    "customer": "acme",
    "scope": "customer",
    "metric": "complaint",
    "window": "24h",
    "from": "2026-03-12T12:00:00Z",
    "to": "2026-03-12T12:02:00Z",
    "step_s": 60,
    "points": [
        {
            "time": "2026-03-12T12:00:00Z",
            "end": "2026-03-12T12:01:00Z",
            "numerator": 4,
            "denominator": 2000,
            "rate": 0.002,
            "window": {"numerator": 67, "denominator": 12000, "rate": 0.005583333333333333},
        },
        {
            "time": "2026-03-12T12:01:00Z",
            "end": "2026-03-12T12:02:00Z",
            "numerator": 0,
            "denominator": 0,
            "rate": None,
            "window": {"numerator": 67, "denominator": 12000, "rate": 0.005583333333333333},
        },
    ],
}
SCORES: dict[str, Any] = {
    "customer": "acme",
    "scope": "customer",
    "from": "2026-03-11",
    "to": "2026-03-12",
    "days": [
        {
            "overall": 38,
            "complaints": 38,
            "failures": 90,
            "blocks": 98,
            "blacklisting": 75,
            "day": "2026-03-12",
            "standing": "excessive",
        }
    ],
}
COHORTS: dict[str, Any] = {
    "customer": "acme",
    "days": [
        {"day": "2026-03-11", "numerator": 0, "denominator": 0, "rate": None},
        {"day": "2026-03-12", "numerator": 1, "denominator": 12000, "rate": 0.00008333333333333333},
    ],
    "undated": 1,
}
LISTINGS: dict[str, Any] = {
    "customer": "acme",
    "time": "2026-03-12T12:34:56Z",
    "listings": [
        {
            "resource": "192.0.2.1",
            "kind": "ip",
            "zone": "bl.example",
            "weight": "major",
            "since": "2026-03-12T12:00:00Z",
            "until": None,
            "confirmed": True,
            "sent_before": 22090,
            "exposed": 2002,
            "incident": None,
            "causes": None,
        }
    ],
}
ANSWERS = {
    "/v1/standing": STANDING,
    "/v1/rates": RATES,
    "/v1/scores": SCORES,
    "/v1/cohorts": COHORTS,
    "/v1/listings": LISTINGS,
    "/healthz": {"status": "ok", "stage": "api", "failing": []},
}
#: What `/healthz` answers with 503.
UNWELL = {
    "status": "unwell",
    "stage": "api",
    "failing": [
        {
            "part": "store",
            "what": "no answer",
            "mend": "See that ClickHouse runs and can be reached from here (clickhouse.url). Nothing is lost: what is "
            "not stored is taken from Kafka again, for as long as its topics keep it.",
        }
    ],
}
#: By status.
REFUSALS: dict[str, dict[str, Any]] = {
    "401": {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "send your key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
    },
    "403": {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "this key is for one customer only",
    },
    "422": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "metric: Input should be 'complaint', 'failure', 'block' or 'exposure'",
        "errors": [{"parameter": "metric", "detail": "Input should be 'complaint', 'failure', 'block' or 'exposure'"}],
    },
    "503": {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the store does not answer; try again",
    },
}
