"""Sessions of `requests` whose connections `within` ends once its time is over (`streams.io.whole_time`). What ends
within the header fields is no answer to them."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from streams.io.whole_header import WholeHeaderConnection, WholeHeaderTlsConnection
from streams.io.whole_time import watch_here


def session() -> requests.Session:
    """One whose requests are ended by `within`."""
    return watched(requests.Session())


def watched(made: requests.Session) -> requests.Session:
    """The session itself, made one whose requests are."""
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made


class _Connection(WholeHeaderConnection):
    def request(self, *args: Any, **options: Any) -> None:
        watch_here(self)
        super().request(*args, **options)


class _TlsConnection(WholeHeaderTlsConnection):
    def request(self, *args: Any, **options: Any) -> None:
        watch_here(self)
        super().request(*args, **options)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
