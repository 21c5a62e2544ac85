"""`repmon ingest`: the ingest stage alone."""

import click

from api.cli.lazy import command
from api.cli.options import Read
from api.cli.stopping import until_signalled
from api.http.metrics import StageServer
from api.stack import running
from api.stack.reading import ingest_worker


@command("repmon -c repmon.toml ingest")
@click.pass_obj
def ingest(read: Read) -> None:
    """Read events from Kafka, and count them in ClickHouse."""
    settings = read()
    running.tune_memory()
    worker, store = ingest_worker(settings)
    where = (settings.metrics.host, settings.metrics.port)
    server = StageServer(*where, lambda: {"ingest": worker.metrics}, lambda: worker.metrics.fault)
    try:
        worker.run(until_signalled())
    finally:
        server.close()
        store.close()
