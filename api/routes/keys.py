"""Keys of the interface, made, rotated and revoked by operators who may, each on record."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http import keys
from api.http.key_records import MADE, REVOKED, ROTATED, key_decision
from api.http.problems import ApiError
from api.http.responses import REFUSALS
from api.http.tags import NOT_FOUND, OPERATOR
from api.routes.asking_operators import KeepingKeys, refusing
from api.routes.decisions import decided, moment
from api.routes.models.decisions import Decided, Reason
from api.routes.models.keys import KeyBody, KeyId, NewKey, RotateBody
from jobs.operator.audit import record_decision
from schemas.times import utc_time

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[OPERATOR])


@router.post(
    "/keys",
    summary="Make a key",
    operation_id="createKey",
    response_description="The key, once.",
)
def post_key(body: KeyBody, asked: KeepingKeys, response: Response) -> NewKey:
    """A key for a customer or an operator, with no more scopes than the key that makes it."""
    response.headers["Cache-Control"] = "no-store"
    if more := [each for each in body.scopes if each not in asked.owner.scopes]:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"your own key has not the scope {', '.join(more)}", parameter="scopes"
        )
    expires_ms = max(1, moment("expires", body.expires)) if body.expires is not None else 0  # 0 would be for ever
    with refusing(), asked.service.stores.lend() as store:
        key = keys.create_key(store, body.customer, body.label, asked.now_ms, body.scopes, expires_ms)
        owner = keys.find(store, key)
        assert owner is not None  # noqa: S101 - it was just stored
        record_decision(store, key_decision(asked.now_ms, asked.who, MADE, owner, body.why))
    return _new(key, owner)


@router.post(
    "/keys/{name}/rotate",
    summary="Make a key in place of another",
    operation_id="rotateKey",
    response_description="The new key, once.",
    responses=NOT_FOUND,
)
def post_rotation(name: Annotated[KeyId, Path()], body: RotateBody, asked: KeepingKeys, response: Response) -> NewKey:
    """The same owner, scopes and lifetime under a new key; the old one stays good for a while."""
    response.headers["Cache-Control"] = "no-store"
    with refusing(), _known(), asked.service.stores.lend() as store:
        made = keys.rotate(store, name, body.grace_s * 1000, asked.now_ms, asked.owner.scopes)
        record_decision(
            store, key_decision(asked.now_ms, asked.who, ROTATED, made.owner, body.why, replaces=made.old.id)
        )
    new = _new(made.key, made.owner)
    return new.model_copy(update={"replaces": made.old.id, "old_until": utc_time(made.old_until_ms)})


@router.post(
    "/keys/{name}/revoke",
    summary="Revoke a key",
    operation_id="revokeKey",
    response_description="It is on record.",
    responses=NOT_FOUND,
)
def post_revocation(name: Annotated[KeyId, Path()], body: Reason, asked: KeepingKeys) -> Decided:
    """Every interface refuses the key within two seconds."""
    with refusing(), _known(), asked.service.stores.lend() as store:
        owner = keys.revoke(store, name, asked.now_ms)
        record_decision(store, key_decision(asked.now_ms, asked.who, REVOKED, owner, body.why))
    return decided(asked, REVOKED, owner.id, [owner.customer] if owner.customer else [], body.why)


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except keys.NoSuchKeyError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, str(error)) from error


def _new(key: str, owner: keys.KeyOwner) -> NewKey:
    return NewKey(
        key=key,
        id=owner.id,
        customer=owner.customer or None,
        label=owner.label,
        scopes=list(owner.scopes),
        expires=utc_time(owner.expires_ms) if owner.expires_ms else None,
        replaces=None,
        old_until=None,
    )
