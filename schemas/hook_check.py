"""What types do not say of the settings of the hook: what goes together, and what would stop everybody's mail."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from json import JSONDecodeError, loads
from pathlib import Path
from shutil import which
from ssl import SSLError, create_default_context
from urllib.parse import urlsplit

from schemas.errors import InvalidInputError
from schemas.hook import Hook, HookAction
from schemas.levels import LEVELS
from schemas.secrets import without_user
from schemas.written_file import read_written

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: What stands for something in the texts of an action, in braces.
NAMES = ("customer", "stream", "scope", "level", "rule", "reason", "alert_id", "id", "operation", "effect")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: A rate as KumoMTA takes it (crates/throttle/src/lib.rs, August 2026).
RATE = re.compile(
    r"(local:)?0*[1-9][0-9_,]*/[0-9]*(d|day|h|hr|hour|m|min|minute|s|sec|second)(,max_burst=[0-9][0-9_,]*)?"
)
MAILBOX = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")
#: Names that say which part of the mail is meant, or by which it is known.
PARTS = ("{stream}", "{scope}", "{id}", "{alert_id}")
COMMON = ("kind", "effect", "timeout_s")
#: The settings that each kind takes.
TAKEN: dict[str, tuple[str, ...]] = {
    "kumomta": ("urls", "user", "password", "password_file", "tenant", "campaign", "domain", "duration_h"),
    "kumomta-throttle": ("urls", "user", "password", "password_file", "tenant", "file", "rate"),
    "ses": ("urls", "region", "tenant", "arn", "access_key_id", "password", "password_file"),
    "http": (
        *("urls", "user", "password", "password_file", "method", "headers", "body", "content_type"),
        *("lift_url", "lift_method", "lift_body", "signing_keys"),
    ),
    "command": ("command",),
    "mail": (*("host", "port", "tls", "ca_file", "user", "password", "password_file", "sender", "reply_to", "bcc"),),
}
TEXTS = ("tenant", "campaign", "domain", "arn", "body", "lift_body", "lift_url")
#: Bytes of a signing key (Standard Webhooks, "Signature scheme").
LEAST_KEY, MOST_KEY = 24, 64


class HookError(InvalidInputError):
    """A setting of the hook cannot be used; the message names it and what is wrong."""


def check_hook(hook: Hook) -> None:
    """Check what the hook is given.

    Raises:
        HookError: naming the setting.
    """
    for name, action in hook.actions.items():
        where = f"hook.actions.{name}"
        if not NAME.fullmatch(name):
            raise HookError(f"{where}: a name has small letters, digits, - and _, at most 32")
        for fault in _faults(action):
            raise HookError(f"{where}.{fault}")
    files = [each.file for each in hook.actions.values() if each.file]
    if twice := [each for each in files if files.count(each) > 1]:
        raise HookError(f"hook.actions: {twice[0]} is the file of two of them; each keeps one of its own")
    for name, rung in hook.ladder.items():
        where = f"hook.ladder.{name}"
        if rung.level == LEVELS[0]:
            raise HookError(f"{where}.level: nobody is acted on who is {LEVELS[0]}")
        if not rung.do:
            raise HookError(f"{where}.do: names no action")
        for each in rung.do:
            if each not in hook.actions:
                known = ", ".join(hook.actions) or "none"
                raise HookError(f"{where}.do: there is no [hook.actions.{each}]; there are {known}")
            if parts := [scope for scope in rung.scopes if scope != "customer"]:
                _check_part(hook.actions[each], f"hook.actions.{each}", f"{where}.scopes names {parts[0]}")


def password_of(name: str, action: HookAction) -> str:
    """The password of an action, from its file if it is in one.

    Raises:
        HookError: the file cannot be read.
    """
    if not action.password_file:
        return action.password
    try:
        return read_written(action.password_file).strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise HookError(f"hook.actions.{name}.password_file: {action.password_file}: {said}") from error


def check_files(name: str, action: HookAction) -> None:
    """What an action needs of this machine: its program, and the authorities that it trusts.

    Raises:
        HookError: naming the setting.
    """
    where = f"hook.actions.{name}"
    if action.kind == "command" and which(action.command[0]) is None:
        raise HookError(f"{where}.command: {action.command[0]}: there is no such program, or it may not be run")
    if action.file and not Path(action.file).parent.is_dir():
        raise HookError(f"{where}.file: {action.file}: there is no such folder")
    if action.ca_file:
        try:
            create_default_context(cafile=action.ca_file)
        except OSError as error:  # SSLError is one
            said = error.strerror if error.filename or not isinstance(error, SSLError) else "no certificates as PEM"
            raise HookError(f"{where}.ca_file: {action.ca_file}: {said}") from error


def _check_part(action: HookAction, where: str, because: str) -> None:
    """An action on a part of the mail must say which, or it would stop all of it."""
    if action.kind == "kumomta" and not any(
        "{stream}" in text or "{scope}" in text for text in (action.tenant, action.campaign, action.domain)
    ):
        raise HookError(
            f"{where}: {because}, but neither tenant nor campaign nor domain has {{stream}} in it, so all mail of the "
            'customer would stop; `campaign = "{stream}"` for example'
        )
    if action.kind == "kumomta-throttle":
        raise HookError(f"{where}: {because}, but KumoMTA keeps a rate for a tenant as a whole")
    if action.kind == "http":
        _check_request(action, where, because)
    if action.kind == "ses":
        raise HookError(f"{where}: {because}, but a tenant of SES is stopped as a whole")


def _check_request(action: HookAction, where: str, because: str) -> None:
    """A request by template names the part, or all mail would be meant. Without a template it is JSON that does."""
    lift_body = action.lift_body or action.body
    for name, url, body in (
        ("body", action.urls[0], action.body),
        ("lift_body", action.lift_url or action.urls[0], lift_body),
    ):
        if body and not any(each in text for each in PARTS for text in (url, body)):
            raise HookError(
                f"{where}: {because}, but neither its address nor {name} has {{stream}} or {{scope}} in it, so all "
                "mail of the customer would be meant"
            )


def _faults(action: HookAction) -> Iterator[str]:
    """What is wrong with an action: the setting, and why."""
    plain = HookAction(kind=action.kind)
    for name in action.__struct_fields__:
        if name not in (*COMMON, *TAKEN[action.kind]) and getattr(action, name) != getattr(plain, name):
            yield f"{name}: is nothing that {action.kind} takes"
    for name in TEXTS:
        if unknown := [each for each in PLACEHOLDER.findall(getattr(action, name)) if each not in NAMES]:
            yield f"{name}: {{{unknown[0]}}} stands for nothing; there are {', '.join(NAMES)}"
    for url in action.urls if action.kind == "http" else ():
        if unknown := [each for each in PLACEHOLDER.findall(url) if each not in NAMES]:
            yield f"urls: {{{unknown[0]}}} stands for nothing; there are {', '.join(NAMES)}"
    for url in filter(None, (*action.urls, action.lift_url)):
        if not _is_url(url):
            yield f"urls: {without_user(url)!r} is not an http or https address without a user"
    if action.password and action.password_file:
        yield "password_file: the password is given too"
    yield from OF_KIND[action.kind](action)


def _kumomta(action: HookAction) -> Iterator[str]:
    if not action.urls:
        yield "urls: must name each node, such as http://kumo-1:8000"
    if not any("{customer}" in text for text in (action.tenant, action.campaign, action.domain)):
        yield "tenant: neither tenant nor campaign nor domain has {customer} in it, so others' mail would stop"


def _kumomta_throttle(action: HookAction) -> Iterator[str]:
    if not action.file.endswith(".toml") or not Path(action.file).is_absolute():
        yield "file: must be the whole path of a file that ends in .toml, beside the queue helper's own"
    if not RATE.fullmatch(action.rate):
        yield "rate: must be a number above 0 and a time, such as 60/min or 1,000/hour"
    if "{customer}" not in action.tenant:
        yield "tenant: has no {customer} in it, so others' mail would be slowed down"


def _ses(action: HookAction) -> Iterator[str]:
    if not action.region:
        yield "region: must be given"
    if not any("{customer}" in text for text in (action.tenant, action.arn)):
        yield "tenant: has no {customer} in it, so others' mail would stop"
    if action.access_key_id and not action.password and not action.password_file:
        yield "password: must be the secret access key that goes with access_key_id"


def _http(action: HookAction) -> Iterator[str]:
    if len(action.urls) != 1:
        yield "urls: must be one address"
    for name in ("body", "lift_body"):
        text = getattr(action, name)
        if text and "json" in action.content_type and not _is_json(PLACEHOLDER.sub("a", text)):
            yield f"{name}: is no JSON, which content_type says it is"
    for key in action.signing_keys:
        if not _is_key(key):
            yield f"signing_keys: a key is `whsec_` and base64 of {LEAST_KEY} to {MOST_KEY} bytes"
    for name, value in action.headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or re.search(r"[\r\n\0]", value):
            yield f"headers: {name!r} is no header"


def _command(action: HookAction) -> Iterator[str]:
    if not action.command:
        yield "command: must be a program and its arguments"
    elif PLACEHOLDER.search(" ".join(action.command)):
        yield "command: nothing is put into arguments; the program is told in HOOK_CUSTOMER and on standard input"


def _mail(action: HookAction) -> Iterator[str]:
    if not action.host:
        yield "host: must be given"
    for name in ("sender", "reply_to", "bcc"):
        text = getattr(action, name)
        if (text or name == "sender") and (not MAILBOX.search(text) or re.search(r"[\r\n\0]", text)):
            yield f"{name}: {text!r} is no mail address"
    if action.user and not action.password and not action.password_file:
        yield "password: must be given with a user"


OF_KIND: dict[str, Callable[[HookAction], Iterator[str]]] = {
    "kumomta": _kumomta,
    "kumomta-throttle": _kumomta_throttle,
    "ses": _ses,
    "http": _http,
    "command": _command,
    "mail": _mail,
}


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _is_json(text: str) -> bool:
    try:
        loads(text)
    except JSONDecodeError:
        return False
    return True


def _is_key(key: str) -> bool:
    try:
        return LEAST_KEY <= len(b64decode(key.removeprefix("whsec_"), validate=True)) <= MOST_KEY
    except (Base64Error, ValueError):
        return False
