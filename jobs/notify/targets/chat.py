"""Chat and other services through Apprise, in a process of its own (`chat_process`), which is ended when it takes too
long. Apprise says whether a message was taken, and not why not: what was not is tried again."""

import json
import subprocess
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from jobs.notify.posting import MOST_SHOWN
from jobs.notify.targets.sending import secret
from jobs.notify.templates import Words
from schemas.notify import Chat, NotifyError, Route

PROCESS = (sys.executable, "-m", "jobs.notify.targets.chat_process")
#: What starting the process takes besides, at most, in s.
START_S = 10.0


class ChatSender:
    """Sends to one service.

    Raises:
        NotifyError: Apprise does not know such an address, or the file or the template cannot be used.
    """

    def __init__(self, target: Chat, route: Route) -> None:
        from apprise import Apprise  # takes half a second

        self._url = secret(target.url, target.url_file, "url_file")
        self._route = route
        self._words = Words(target.subject, target.text_file)
        if Apprise.instantiate(self._url) is None:
            scheme = urlsplit(self._url).scheme or "?"
            raise NotifyError(
                f"target.url: Apprise does not know such an address ({scheme}://...); "
                "github.com/caronc/apprise/wiki lists them"
            )

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Send it."""
        asked = {
            "url": self._url,
            "title": self._words.subject(events),
            "body": self._words.text(events),
            "allow_private": self._route.allow_private,
        }
        try:
            ended = subprocess.run(  # noqa: S603 - a module of ours
                PROCESS,
                input=json.dumps(asked).encode(),
                capture_output=True,
                check=False,
                timeout=self._route.timeout_s + START_S,
            )
            answer = json.loads(ended.stdout)
        except subprocess.TimeoutExpired:
            return Outcome(result="later", said="not done in time")
        except (OSError, ValueError) as error:
            return Outcome(result="later", said=f"the process that sends it failed: {error}"[:MOST_SHOWN])
        if answer["taken"]:
            return Outcome(result="taken", said="taken")
        said = str(answer["said"]).replace(self._url, "***")[:MOST_SHOWN] or "Apprise says that it was not taken"
        return Outcome(result="never" if answer["refused"] else "later", said=said)
