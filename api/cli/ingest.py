"""`repmon ingest`: the ingest stage alone."""

import click

from api.cli.lazy import command
from api.cli.options import Read
from api.cli.stopping import until_signalled
from api.http.health import StageHealth
from api.stack import running
from api.stack.reading import ingest_worker
from api.stack.stage_server import served
from schemas.topics import DEAD_LETTERS, MAIL_BLOCKLISTINGS, REPUTATION_CHANGES


@command("repmon -c repmon.toml ingest")
@click.pass_obj
def ingest(read: Read) -> None:
    """Read events from Kafka, and count them in ClickHouse."""
    settings = read()
    running.tune_memory()
    topics = {**settings.ingest.formats, MAIL_BLOCKLISTINGS: "", DEAD_LETTERS: "", REPUTATION_CHANGES: ""}
    with served(StageHealth("ingest", settings, list(topics), awaited=["ingest"]), settings) as health:
        worker, store = ingest_worker(settings)
        health.numbers["ingest"] = worker.metrics
        try:
            worker.run(until_signalled())
        finally:
            store.close()
