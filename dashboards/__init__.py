"""The Grafana dashboards, made from code.

Comes in: the providers with a feedback loop, the SQL that says who stands where, and where links lead. Goes out: a file
of JSON for each dashboard, the same bytes for the same input. `jobs.setup.dashboards` deploys them and the command line
writes them; nothing else imports from here.
"""
