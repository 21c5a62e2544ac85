"""Folders and dashboards of a Grafana, by either of its two interfaces.

Until Grafana 11 there is `/api/folders` and `/api/dashboards` (its documentation, "Legacy HTTP API"). Grafana 12
has resources at `/apis/folder.grafana.app/v1beta1` and `/apis/dashboard.grafana.app/v1beta1` besides, Grafana 13 has
them as `v1` and calls the others deprecated ("API structure in Grafana", "Migrate to the new APIs"). What a dashboard
holds is the same JSON in both: a `v1` dashboard is the classic model.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from jobs.setup.grafana_calls import CONFLICT, FORBIDDEN, PRECONDITION, DashboardError, GrafanaCalls

#: In the order in which they are preferred. `v2` is another model of a dashboard, and alphas change.
VERSIONS = ("v1", "v1beta1")
DASHBOARDS, FOLDERS = "dashboard.grafana.app", "folder.grafana.app"
IN_FOLDER, MESSAGE = "grafana.app/folder", "grafana.app/message"
#: What stands in the history of a dashboard.
SAVED_BY = "repmon dashboards deploy"
PAGE = 100
#: So often a dashboard is saved again that somebody else saved meanwhile.
TRIES = 3
Changed = TypeVar("Changed")


class KnownBoard(NamedTuple):
    """A dashboard as Grafana has it; `revision` changes whenever it does."""

    content: dict[str, Any]
    folder: str
    revision: str


class ListedBoard(NamedTuple):
    """One of all dashboards."""

    uid: str
    title: str
    tags: tuple[str, ...]


class BoardStore(Protocol):
    """What either interface can do.

    Every method raises DashboardError where Grafana cannot be reached or refuses.
    """

    name: str

    def folder(self, uid: str) -> str | None:
        """The title of a folder; None if there is none."""

    def folder_titled(self, title: str) -> str | None:
        """The uid of the first folder of this title."""

    def create_folder(self, uid: str, title: str) -> None:
        """Make a folder at the top level."""

    def rename_folder(self, uid: str, title: str) -> None:
        """Give it this title, whoever changed it meanwhile."""

    def board(self, uid: str) -> KnownBoard | None:
        """A dashboard; None if there is none."""

    def save(self, uid: str, content: Mapping[str, Any], folder: str, known: KnownBoard | None) -> str:
        """Make or replace a dashboard in a folder (empty: the top level), whoever changed it since it was `known`; what
        its version is now."""

    def boards(self) -> list[ListedBoard]:
        """All of them that the token may see."""

    def delete(self, uid: str) -> None:
        """Delete a dashboard; one that is gone already is no error."""


class _Folder(msgspec.Struct, frozen=True):
    uid: str
    title: str


class _Saved(msgspec.Struct, frozen=True):
    version: int


class _Listed(msgspec.Struct, frozen=True):
    uid: str
    title: str
    tags: tuple[str, ...] = ()


class _Meta(msgspec.Struct, frozen=True):
    folder_uid: str = msgspec.field(name="folderUid", default="")


class _Board(msgspec.Struct, frozen=True):
    dashboard: dict[str, Any]
    meta: _Meta = _Meta()


class LegacyBoards:
    """By `/api`, as Grafana 11 has it."""

    name = "/api"

    def __init__(self, calls: GrafanaCalls) -> None:
        self._calls = calls
        self._face = calls.face

    def folder(self, uid: str) -> str | None:
        found = self._calls.find("read the folder", lambda: self._face.folder.get_folder(uid), _Folder)
        return None if found is None else found.title

    def folder_titled(self, title: str) -> str | None:
        query = quote(title, safe="")
        hits = self._calls.ask(
            "search for the folder",
            lambda: self._face.search.search_dashboards(query=query, type_="dash-folder"),
            list[_Folder],
        )
        return next((hit.uid for hit in hits if hit.title == title), None)

    def create_folder(self, uid: str, title: str) -> None:
        self._calls.ask("create the folder", lambda: self._face.folder.create_folder(title, uid), _Folder)

    def rename_folder(self, uid: str, title: str) -> None:
        self._calls.ask(
            "rename the folder", lambda: self._face.folder.update_folder(uid, title, overwrite=True), _Folder
        )

    def board(self, uid: str) -> KnownBoard | None:
        found = self._calls.find("read the dashboard", lambda: self._face.dashboard.get_dashboard(uid), _Board)
        if found is None:
            return None
        return KnownBoard(found.dashboard, found.meta.folder_uid, str(found.dashboard.get("version", "")))

    def save(self, uid: str, content: Mapping[str, Any], folder: str, known: KnownBoard | None) -> str:
        body = {"dashboard": content, "folderUid": folder, "overwrite": True, "message": SAVED_BY}
        saved = self._calls.ask("save the dashboard", lambda: self._face.dashboard.update_dashboard(body), _Saved)
        return str(saved.version)

    def boards(self) -> list[ListedBoard]:
        return list(self._pages())

    def _pages(self) -> Iterator[ListedBoard]:
        page = 0
        while True:
            page += 1
            path = f"/search?type=dash-db&limit={PAGE}&page={page}"
            hits = self._calls.ask("list dashboards", partial(self._face.api.GET, path), list[_Listed])
            yield from (ListedBoard(hit.uid, hit.title, hit.tags) for hit in hits)
            if len(hits) < PAGE:
                return

    def delete(self, uid: str) -> None:
        self._calls.find("delete the dashboard", lambda: self._face.dashboard.delete_dashboard(uid), dict)


class _ResourceMeta(msgspec.Struct, frozen=True):
    name: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    generation: int = 0
    annotations: dict[str, str] = {}
    next_page: str = msgspec.field(name="continue", default="")


class _Resource(msgspec.Struct, frozen=True):
    metadata: _ResourceMeta
    spec: dict[str, Any] = {}


class _ResourceList(msgspec.Struct, frozen=True):
    items: list[_Resource]
    metadata: _ResourceMeta = _ResourceMeta()


class ResourceBoards:
    """By `/apis`, in the version that this Grafana serves of each of the two groups."""

    def __init__(self, calls: GrafanaCalls, namespace: str, dashboards: str, folders: str) -> None:
        self._calls = calls
        self._api = calls.resources
        self._groups = {DASHBOARDS: dashboards, FOLDERS: folders}
        self._boards = f"/{DASHBOARDS}/{dashboards}/namespaces/{namespace}/dashboards"
        self._folders = f"/{FOLDERS}/{folders}/namespaces/{namespace}/folders"
        self.name = f"/apis, dashboards {dashboards}, folders {folders}"

    def folder(self, uid: str) -> str | None:
        found = self._calls.find("read the folder", lambda: self._api.GET(f"{self._folders}/{uid}"), _Resource)
        return None if found is None else str(found.spec.get("title", ""))

    def folder_titled(self, title: str) -> str | None:
        pages = self._all("search for the folder", self._folders)
        return next((each.metadata.name for each in pages if each.spec.get("title") == title), None)

    def create_folder(self, uid: str, title: str) -> None:
        body = self._resource(FOLDERS, "Folder", uid, {"title": title})
        self._calls.ask("create the folder", lambda: self._api.POST(self._folders, json=body), _Resource)

    def rename_folder(self, uid: str, title: str) -> None:
        path = f"{self._folders}/{uid}"

        def renamed() -> None:
            found = self._calls.ask("read the folder", lambda: self._api.GET(path), _Resource)
            spec = {**found.spec, "title": title}
            body = self._resource(
                FOLDERS, "Folder", uid, spec, found.metadata.annotations, found.metadata.resource_version
            )
            self._calls.ask("rename the folder", lambda: self._api.PUT(path, json=body), _Resource)

        _insisting(renamed)

    def board(self, uid: str) -> KnownBoard | None:
        found = self._calls.find("read the dashboard", lambda: self._api.GET(f"{self._boards}/{uid}"), _Resource)
        if found is None:
            return None
        about = found.metadata
        return KnownBoard(found.spec, about.annotations.get(IN_FOLDER, ""), about.resource_version)

    def save(self, uid: str, content: Mapping[str, Any], folder: str, known: KnownBoard | None) -> str:
        # The name is the uid; Grafana numbers dashboards itself.
        spec = {name: value for name, value in content.items() if name not in ("id", "uid")}
        annotations = {MESSAGE: SAVED_BY, **({IN_FOLDER: folder} if folder else {})}
        last = [known]

        def saved() -> _Resource:
            before = last[0]
            try:
                if before is None:
                    body = self._resource(DASHBOARDS, "Dashboard", uid, spec, annotations)
                    return self._calls.ask(
                        "save the dashboard", lambda: self._api.POST(self._boards, json=body), _Resource
                    )
                body = self._resource(DASHBOARDS, "Dashboard", uid, spec, annotations, before.revision)
                path = f"{self._boards}/{uid}"
                return self._calls.ask("save the dashboard", lambda: self._api.PUT(path, json=body), _Resource)
            except DashboardError:
                last[0] = self.board(uid)
                raise

        return str(_insisting(saved).metadata.generation)

    def boards(self) -> list[ListedBoard]:
        return [
            ListedBoard(each.metadata.name, str(each.spec.get("title", "")), tuple(each.spec.get("tags") or ()))
            for each in self._all("list dashboards", self._boards)
        ]

    def delete(self, uid: str) -> None:
        self._calls.find("delete the dashboard", lambda: self._api.DELETE(f"{self._boards}/{uid}"), dict)

    def _all(self, what: str, path: str) -> Iterator[_Resource]:
        after = ""
        while True:
            asked = f"{path}?limit={PAGE}" + (f"&continue={quote(after, safe='')}" if after else "")
            page = self._calls.ask(what, partial(self._api.GET, asked), _ResourceList)
            yield from page.items
            after = page.metadata.next_page
            if not after:
                return

    def _resource(
        self,
        group: str,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        annotations: Mapping[str, str] | None = None,
        revision: str = "",
    ) -> dict[str, Any]:
        about: dict[str, Any] = {"name": name, "annotations": dict(annotations or {})}
        if revision:
            about["resourceVersion"] = revision
        return {"apiVersion": f"{group}/{self._groups[group]}", "kind": kind, "metadata": about, "spec": dict(spec)}


def _insisting(change: Callable[[], Changed]) -> Changed:
    """What `change` gives, tried again where somebody else changed the same meanwhile: ours is what is wanted."""
    for left in reversed(range(TRIES)):
        try:
            return change()
        except DashboardError as error:
            if error.status not in (CONFLICT, PRECONDITION) or not left:
                raise
    raise AssertionError("unreachable")


class _GroupVersion(msgspec.Struct, frozen=True):
    version: str


class _Group(msgspec.Struct, frozen=True):
    versions: tuple[_GroupVersion, ...] = ()


class _FrontendSettings(msgspec.Struct, frozen=True):
    namespace: str = "default"


def boards_of(calls: GrafanaCalls) -> BoardStore:
    """By which interface this Grafana is spoken to: its resources where it serves them in a version that stays, else
    `/api`. The namespace of a second organisation or of Grafana Cloud is asked for.

    Raises:
        DashboardError: Grafana cannot be reached, or refused.
    """
    dashboards, folders = _served(calls, DASHBOARDS), _served(calls, FOLDERS)
    if not dashboards or not folders:
        return LegacyBoards(calls)
    found = calls.find("read the settings", lambda: calls.face.api.GET("/frontend/settings"), _FrontendSettings)
    return ResourceBoards(calls, quote((found or _FrontendSettings()).namespace, safe=""), dashboards, folders)


def _served(calls: GrafanaCalls, group: str) -> str:
    """The preferred version of a group that is served; empty where there is none."""
    try:
        found = calls.find("look for resources", lambda: calls.resources.GET(f"/{group}"), _Group)
    except DashboardError as error:
        # Grafana 11 may answer with its page for people, or forbid to look.
        if error.status == FORBIDDEN or "not JSON" in str(error):
            return ""
        raise
    served = {each.version for each in found.versions} if found else set()
    return next((version for version in VERSIONS if version in served), "")
