"""What a hook cannot use is said before a store or a broker is waited for."""

import threading
from pathlib import Path

import pytest

from api.stack.hook import run_hook
from schemas.errors import InvalidInputError
from schemas.hook import Hook, HookAction, LadderRung
from schemas.mail import MailSettings
from schemas.settings import ClickHouse, Settings

NOBODY = ClickHouse(url="http://127.0.0.1:1")
LADDER = {"all": LadderRung(level="excessive", do=("tell",))}
MAIL = HookAction(kind="mail", host="127.0.0.1", sender="abuse@esp.example")


@pytest.mark.parametrize(
    ("action", "mail", "said"),
    [
        (HookAction(kind="command", command=("/nowhere/suspend",)), MailSettings(), "/nowhere/suspend: there is no"),
        (
            HookAction(kind="mail", host="127.0.0.1", sender="a@esp.example", user="a", password_file="/nowhere/pw"),
            MailSettings(),
            "/nowhere/pw: No such file",
        ),
        (MAIL, MailSettings(folder="BROKEN"), "letter.html:1: "),
    ],
)
def test_fault_in_an_action_is_said_before_the_store_is_asked(
    tmp_path: Path, action: HookAction, mail: MailSettings, said: str
) -> None:
    (tmp_path / "letter.html").write_text("{{ letter.subject")
    mail = MailSettings(folder=str(tmp_path)) if mail.folder else mail
    settings = Settings(clickhouse=NOBODY, mail=mail, hook=Hook(actions={"tell": action}, ladder=LADDER))
    with pytest.raises(InvalidInputError, match=said):
        run_hook(settings, print, threading.Event(), act=True)
