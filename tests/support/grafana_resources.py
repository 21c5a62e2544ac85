"""The resources of Grafana 12 and later (`/apis/...`) for the stand-in: dashboards and folders, over the same state.

After its documentation: "API structure in Grafana", "Dashboard HTTP API", "Folder HTTP API". An object may not be made
twice (409), and is replaced only by who knows its `resourceVersion`, or names none.
"""

import re
from collections.abc import Callable
from typing import Any

from tests.support.grafana_stand_in import Answer, Body, FakeGrafana, RefusedError, check_name, known

GROUPS = {"dashboard.grafana.app": "dashboards", "folder.grafana.app": "folders"}
#: What is served by each version of Grafana, besides alphas.
SERVED = {12: ("v1beta1",), 13: ("v1", "v1beta1")}
NAMESPACE = "default"


def answer(grafana: FakeGrafana, method: str, route: str, body: Body) -> Answer:
    """The answer to a call below `/apis`."""
    versions = SERVED.get(grafana.version, ())
    if found := re.fullmatch(r"/apis/([\w.]+)", route):
        if found[1] not in GROUPS or not versions:
            raise RefusedError(404, "404 page not found")
        listed = [{"groupVersion": f"{found[1]}/{each}", "version": each} for each in ("v2alpha1", *versions)]
        return 200, {"kind": "APIGroup", "name": found[1], "versions": listed, "preferredVersion": listed[0]}
    found = re.fullmatch(r"/apis/([\w.]+)/(\w+)/namespaces/([\w-]+)/(\w+)(?:/([\w-]+))?", route)
    if found is None or found[2] not in versions or GROUPS.get(found[1]) != found[4]:
        raise RefusedError(404, "404 page not found")
    if found[3] != grafana.namespace:
        raise RefusedError(403, f"not in namespace {found[3]}")
    group = f"{found[1]}/{found[2]}"
    handle = (_board if found[4] == "dashboards" else _folder)[method]
    return handle(grafana, group, found[5] or "", body)


def _resource(group: str, kind: str, name: str, version: int, spec: Body, folder: str = "") -> Body:
    annotations = {"grafana.app/createdBy": "service-account:x", **({"grafana.app/folder": folder} if folder else {})}
    about = {"name": name, "resourceVersion": str(version), "generation": version, "annotations": annotations}
    return {"kind": kind, "apiVersion": group, "metadata": about, "spec": spec}


def _shown_board(group: str, uid: str, held: Body) -> Body:
    spec = {name: value for name, value in held["dashboard"].items() if name not in ("uid", "id", "version")}
    return _resource(group, "Dashboard", uid, held["dashboard"]["version"], spec, held["meta"]["folderUid"])


def _shown_folder(group: str, uid: str, held: Body) -> Body:
    return _resource(group, "Folder", uid, held["version"], {"title": held["title"]})


def _page(group: str, kind: str, items: list[Body], query: Body) -> Answer:
    """At most so many as are asked for, and where to go on."""
    begin, limit = int(query.get("continue") or 0), int(query.get("limit") or 500)
    following = str(begin + limit) if begin + limit < len(items) else ""
    about = {"resourceVersion": "1", **({"continue": following} if following else {})}
    return 200, {"kind": f"{kind}List", "apiVersion": group, "metadata": about, "items": items[begin : begin + limit]}


def _get_board(grafana: FakeGrafana, group: str, uid: str, query: Body) -> Answer:
    if not uid:
        shown = [_shown_board(group, name, held) for name, held in grafana.dashboards.items()]
        return _page(group, "Dashboard", shown, query)
    return 200, _shown_board(group, uid, known(grafana.dashboards, uid, f'dashboards "{uid}" not found'))


def _put_board(grafana: FakeGrafana, group: str, uid: str, body: Body) -> Answer:
    about, spec = body["metadata"], body["spec"]
    name, folder = about["name"], about.get("annotations", {}).get("grafana.app/folder", "")
    check_name(spec.get("title", ""), name)
    if "id" in spec and spec["id"] is not None:
        raise RefusedError(400, "spec.id: must not be set")
    if folder and folder not in grafana.folders:
        raise RefusedError(404, f'folders.folder.grafana.app "{folder}" not found')
    held = grafana.dashboards.get(name)
    if uid and held is None:
        raise RefusedError(404, f'dashboards "{uid}" not found')
    if not uid and held is not None:
        raise RefusedError(409, f'dashboards "{name}" already exists')
    version = 0 if held is None else held["dashboard"]["version"]
    if about.get("resourceVersion") not in (None, str(version)) and uid:
        raise RefusedError(409, "the object has been modified; please apply your changes to the latest version")
    number = len(grafana.dashboards) + 1 if held is None else held["dashboard"]["id"]
    grafana.dashboards[name] = {
        "dashboard": {**spec, "uid": name, "id": number, "version": version + 1},
        "meta": {"folderUid": folder, "url": f"/d/{name}/slug", "isStarred": False},
    }
    return (200 if uid else 201), _shown_board(group, name, grafana.dashboards[name])


def _delete_board(grafana: FakeGrafana, group: str, uid: str, _: Body) -> Answer:
    known(grafana.dashboards, uid, f'dashboards "{uid}" not found')
    del grafana.dashboards[uid]
    return 200, {"kind": "Status", "status": "Success", "details": {"name": uid}}


def _get_folder(grafana: FakeGrafana, group: str, uid: str, query: Body) -> Answer:
    if not uid:
        return _page(group, "Folder", [_shown_folder(group, *each) for each in grafana.folders.items()], query)
    return 200, _shown_folder(group, uid, known(grafana.folders, uid, f'folders "{uid}" not found'))


def _create_folder(grafana: FakeGrafana, group: str, _: str, body: Body) -> Answer:
    name, title = body["metadata"]["name"], body["spec"].get("title", "")
    check_name(title, name)
    if name in grafana.folders:
        raise RefusedError(409, f'folders "{name}" already exists')
    grafana.add_folder(title, name)
    return 201, _shown_folder(group, name, grafana.folders[name])


def _update_folder(grafana: FakeGrafana, group: str, uid: str, body: Body) -> Answer:
    folder = known(grafana.folders, uid, f'folders "{uid}" not found')
    if body["metadata"].get("resourceVersion") not in (None, str(folder["version"])):
        raise RefusedError(412, "The folder has been changed by someone else", status="version-mismatch")
    folder.update(title=body["spec"]["title"], version=folder["version"] + 1)
    return 200, _shown_folder(group, uid, folder)


_Handler = Callable[[FakeGrafana, str, str, Any], Answer]
_board: dict[str, _Handler] = {"GET": _get_board, "POST": _put_board, "PUT": _put_board, "DELETE": _delete_board}
_folder: dict[str, _Handler] = {"GET": _get_folder, "POST": _create_folder, "PUT": _update_folder}
