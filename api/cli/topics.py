"""`repmon topics ...`: the Kafka topics."""

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line
from jobs.setup.topics import create_topics
from schemas import topics
from schemas.settings import Settings


@command("repmon topics create", name="create")
@with_reached
def create(settings: Settings) -> None:
    """Create the topics that are missing.

    Those that the settings name as sources are among them.
    """
    for each in create_topics(settings.kafka, topics.with_sources(settings.ingest.formats)):
        print_line(str(each))
