"""What a deployment needs before it runs: topics, tables, dashboards.

Comes in: the declarations in `schemas`, the panels in `dashboards`, and addresses. Goes out: topics in Kafka, tables
in ClickHouse, a dashboard in Grafana, and the generated files of `schemas`. All of it may be repeated. Imported by the
command line and the stack.
"""
