"""The Grafana dashboard, made from code.

Comes in: the default policy's thresholds, the providers with a feedback loop, and the SQL that says who stands where.
Goes out: `reputation.json`, the same bytes for the same input. `jobs.setup.dashboards` deploys it and the command line
writes it; nothing else imports from here.
"""
