"""Settings read: from a TOML file, then from the environment.

An environment variable names section and field: `REPMON_KAFKA__BOOTSTRAP=broker:9092` overrides
`bootstrap` in `[kafka]`. Lists and tables in the environment are JSON (`["a","b"]`). With `_FILE` at its end a variable
names a file that holds the value, as container platforms hand over secrets.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.collect import with_sources
from schemas.nearest import meant
from schemas.plain_fault import in_plain_words, placed
from schemas.settings import Settings, SettingsError
from schemas.settings_check import check, check_together
from schemas.settings_fault import choices, named
from schemas.written_file import read_written

ENV_PREFIX = "REPMON_"
DEFAULT_FILE = "repmon.toml"
#: At the end of a variable, in small letters: its value is in the file that it names.
IN_FILE = "_file"


#: Longer is no value of a setting, but a file named by mistake.
MAX_VALUE_BYTES = 65_536
#: Where each value that is no default comes from, in words, by section and field.
Origins = dict[tuple[str, str], str]


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] | None = None, origins: Origins | None = None
) -> Settings:
    """Settings in force: defaults, then the TOML file, then the environment.

    Without `path`, `repmon.toml` in the working folder is read if it is there. `origins` is filled in.

    Raises:
        SettingsError: naming the file or variable, and the setting.
    """
    file = path if path is not None else Path(DEFAULT_FILE)
    raw: dict[str, Any] = {}
    origins = {} if origins is None else origins
    if path is not None or file.exists():
        raw = _read_toml(file)
    settings = _converted(raw, str(file), strict=True)
    origins.update({(section, field): f"file {file}" for section, fields in raw.items() for field in fields})
    by_variable: dict[tuple[str, str], str] = {}
    for name, value in sorted((os.environ if environ is None else environ).items()):
        if name.startswith(ENV_PREFIX) and "__" in name:
            place, in_file = _named_by(name)
            if (other := by_variable.setdefault(place, name)) != name:
                raise SettingsError(f"{name}: {other} sets this too; set one of them")
            _apply(raw, place, name, _read_value(name, value) if in_file else value)
            settings = _converted(raw, name, strict=False)
            origins[place] = f"environment {name}" + (f" ({value})" if in_file else "")
        elif name in ONE_UNDERSCORE and not value.startswith("tcp://"):
            # Kubernetes sets REPMON_API_PORT=tcp://... by itself where a service is named repmon-api.
            raise SettingsError(f"{name}: a setting has two underscores, {ONE_UNDERSCORE[name]}")
    check_together(settings)
    formats = with_sources(settings.ingest.formats, settings.collect)
    return msgspec.structs.replace(settings, ingest=msgspec.structs.replace(settings.ingest, formats=formats))


_SECTIONS: dict[str, Any] = {each.name: each.type for each in msgspec.structs.fields(Settings)}
_FIELDS: dict[str, dict[str, Any]] = {
    section: {each.name: getattr(each.type, "__origin__", each.type) for each in msgspec.structs.fields(kind)}
    for section, kind in _SECTIONS.items()
}
#: The misspelling of each variable that would otherwise be passed over in silence.
ONE_UNDERSCORE = {
    f"{ENV_PREFIX}{section}_{field}".upper(): f"{ENV_PREFIX}{section}__{field}".upper()
    for section, fields in _FIELDS.items()
    for field in fields
}


#: Names that settings had before, by section, each with the one it has now.
RENAMED = {
    ("ingest", "changes_every_s"): "change_debounce_s",
    ("monitor", "judge_soon_s"): "cooldown_idle_s",
    ("monitor", "soon_customers"): "cooldown_idle_customers",
    ("monitor", "within_s"): "min_batch_interval_s",
    ("blocklists", "most_listed_of"): "trust_min_sample",
    ("blocklists", "also"): "extra_resources",
    ("collect", "most_bytes"): "max_inflight_bytes",
}


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_written(file))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error


def _converted(raw: dict[str, Any], where: str, *, strict: bool) -> Settings:
    """The settings, checked; `where` is the file or variable that was read last, to be named if it is wrong."""
    try:
        settings = msgspec.convert(raw, Settings, strict=strict)
        check(settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {_field_first(str(error), raw, strict=strict)}") from error
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error
    return settings


def _named_by(variable: str) -> tuple[tuple[str, str], bool]:
    """Section and field that a variable sets, and whether its value is in a file that it names."""
    section, field = variable.removeprefix(ENV_PREFIX).lower().split("__", 1)
    known, plain = _FIELDS.get(section, {}), field.removesuffix(IN_FILE)
    if field not in known and field != plain and plain in known:
        return (section, plain), True
    return (section, field), False


def _read_value(variable: str, file: str) -> str:
    """What stands in a file, without the newline at its end."""
    try:
        with Path(file).open("rb") as opened:
            found = opened.read(MAX_VALUE_BYTES + 1)
        text = found.decode()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
        raise SettingsError(f"{variable}: {file}: cannot be read: {said}") from error
    if len(found) > MAX_VALUE_BYTES:
        raise SettingsError(f"{variable}: {file}: more than {MAX_VALUE_BYTES:,} bytes")
    return text.removesuffix("\n").removesuffix("\r")


def _apply(raw: dict[str, Any], place: tuple[str, str], name: str, value: str) -> None:
    """Set one field from one environment variable."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(f"{name}: not valid UTF-8") from error
    section, field = place
    parsed: Any = value
    if value[:1] in ("[", "{") and _FIELDS.get(section, {}).get(field) is not str:
        try:
            parsed = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise SettingsError(f"{name}: not valid JSON: {error}") from error
    raw.setdefault(section, {})[field] = parsed


def _field_first(message: str, raw: dict[str, Any], *, strict: bool) -> str:
    """`Expected `int`, got `str` - at `$.a.b`` as `a.b: must be a whole number, not text`; a name that is not known
    with the nearest that is."""
    path, said = placed(message)
    said += choices(said, path, Settings)
    path = named(path, raw, message, lambda tried: msgspec.convert(tried, Settings, strict=strict))
    prefix = f"{path}: " if path else ""
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL)
    if unknown is not None and (not path or path in _FIELDS):
        if (now := RENAMED.get((path, unknown[1]))) is not None:
            return f"{prefix}`{unknown[1]}` is called `{now}` now"
        known, what = (_FIELDS[path], "setting") if path else (_SECTIONS, "section")
        return f"{prefix}there is no {what} `{unknown[1]}`{meant(unknown[1], known)}"
    if said.startswith(("Expected `array`, got `str`", "Expected `object`, got `str`")):
        return f"{prefix}{in_plain_words(said)}; in the environment it is written as JSON"
    return prefix + in_plain_words(said)
