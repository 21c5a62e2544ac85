"""Blocklistings of what a customer sent through, with the page on which to ask for their removal."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.listings import all_listings, own_listings
from api.http.models.listings import Listings
from api.http.models.parameters import ListingsQuery
from api.http.responses import REFUSALS
from api.http.tags import CUSTOMER
from api.routes.asking import Asked
from api.routes.formats import TABLES, answer

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])


@router.get(
    "/listings",
    summary="What is on blocklists",
    operation_id="listListings",
    response_description="The listings, latest first.",
    response_model=Listings,
    responses=TABLES,
)
def get_listings(wanted: Annotated[ListingsQuery, Query()], asked: Asked, request: Request) -> Response:
    """Addresses and domains on blocklists that your mail went through, how much of it, and where to ask the list to
    remove them.

    An operator's key sees whom each listing is attributed to, of all listings or of a customer's.
    """
    customer, service = asked.about_any(wanted.customer), asked.service
    with service.stores.lend() as store:
        if customer:
            causes = asked.owner.is_operator
            found = own_listings(store, customer, wanted.ended_days, service.owners, asked.now_ms, with_causes=causes)
        else:
            found = all_listings(store, wanted.ended_days, service.owners, asked.now_ms)
    pages = service.delisting
    rows = [each.model_copy(update={"delisting": pages.get(each.zone)}) for each in found.listings]
    return answer(request, found.model_copy(update={"listings": rows}), "listings")
