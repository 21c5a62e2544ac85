"""`repmon collect`: the webhook collector alone."""

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line
from api.cli.stopping import until_signalled
from api.collect.lmtp_socket import listen_lmtp, named
from api.collect.serve import build_collector, serve
from api.http.listening import listen
from schemas.settings import Settings


@command("repmon collect")
@with_reached
def collect(settings: Settings) -> None:
    """Receive webhooks, and reports by mail, and pass them to Kafka."""
    collector = build_collector(settings)
    host, port = settings.collect.host, settings.collect.port
    listening = listen(host, port, "collect")
    where = f"[{host}]" if ":" in host else host
    where += f":{listening.getsockname()[1]}"
    lmtp = listen_lmtp(settings.collect.lmtp) if settings.collect.lmtp else None
    for name, source in settings.collect.sources.items():
        if source.user or source.token or not source.addresses:
            print_line(f"http://{where}/collect/{source.format}/{name} -> {source.into}")
        if lmtp is not None:
            for address in source.addresses:
                print_line(f"lmtp:{named(lmtp)} <{address}> -> {source.into}")
    until_signalled()  # uvicorn, once it has stopped, raises the signal again
    serve(collector, listening, lmtp)
