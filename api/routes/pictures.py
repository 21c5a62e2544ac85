"""A customer's standing and rates as small pictures (SVG), for its own pages.

A page that shows one asks for it with the key by its own server, and gives it to the browser: keys stand in no address.
"""

from collections.abc import Sequence
from html import escape
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.http.models.parameters import CommonQuery, Metric, RatesQuery, WindowName
from api.http.problems import ApiError
from api.http.ranges import WINDOW_S, RangeError, span
from api.http.rates import PointNumbers
from api.http.responses import REFUSALS
from api.http.standing import shown_standing
from api.http.tags import CUSTOMER
from api.routes.asking import Asked
from api.routes.rates import SeriesAsked, series
from schemas.times import DAY_MS

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])

SVG = "image/svg+xml"
#: A picture loads nothing and runs nothing, should somebody open it by itself.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The picture."}
}
#: By standing: contrast with white text of at least 4.5 to 1 (WCAG 2.2, 1.4.3).
COLOURS = {
    "good": "#1a7f37",
    "reinstated": "#1a7f37",
    "watch": "#6b6500",
    "warning": "#9a5b00",
    "excessive": "#b3261e",
    "critical": "#8c1d18",
    "suspended": "#5c1310",
}
OTHER_COLOUR = "#57606a"
#: Width of a letter at 11 px, about, and the room at each end.
LETTER, ROOM = 6.6, 8.0
BADGE = """<svg xmlns="http://www.w3.org/2000/svg" width="{whole:.0f}" height="20" role="img"
 aria-label="{label}: {said}">
<title>{label}: {said}</title>
<rect width="{whole:.0f}" height="20" rx="3" fill="#24292f"/>
<rect x="{left:.0f}" width="{right:.0f}" height="20" rx="3" fill="{colour}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{left_middle:.1f}" y="14">{label}</text>
<text x="{right_middle:.1f}" y="14">{said}</text>
</g>
</svg>
"""
SPARKLINE = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
 role="img" aria-label="{said}">
<title>{said}</title>
{lines}</svg>
"""
LINE = '<polyline fill="none" stroke="#0b5cad" stroke-width="1.5" points="{points}"/>\n'


class BadgeQuery(CommonQuery):
    """What the badge says."""

    label: Annotated[
        str, Field(min_length=1, max_length=40, pattern=r"^[\w .,:/&()-]+$", description="The words on the left.")
    ] = "sending"


class SparklineQuery(CommonQuery):
    """Which rate, over how long."""

    metric: Annotated[Metric, Field(description="The rate.")]
    window: Annotated[WindowName, Field(description="Length of the sliding window whose rate is drawn.")] = "24h"
    days: Annotated[int, Field(ge=1, le=90, description="Over so many days until now.")] = 30
    width: Annotated[int, Field(ge=40, le=1_000, description="Width in pixels.")] = 160
    height: Annotated[int, Field(ge=12, le=400, description="Height in pixels.")] = 32


@router.get(
    "/badge.svg",
    summary="Your standing as a badge",
    operation_id="getBadge",
    response_class=Response,
    responses=PICTURE,
)
def get_badge(query: Annotated[BadgeQuery, Query()], asked: Asked) -> Response:
    """Where all your mail stands, in a word and a colour."""
    customer = asked.about(query.customer)
    with asked.service.stores.lend() as store:
        standing = shown_standing(store, customer, asked.now_ms)
    return Response(badge(query.label, standing), headers=HEADERS, media_type=SVG)


@router.get(
    "/sparkline.svg",
    summary="A rate as a line",
    operation_id="getSparkline",
    response_class=Response,
    responses=PICTURE,
)
def get_sparkline(query: Annotated[SparklineQuery, Query()], asked: Asked) -> Response:
    """A rate over the last days as a small line, from 0 to its highest point. Where there is no mail, there is no
    line."""
    customer = asked.about(query.customer)
    window_s = WINDOW_S[query.window]
    start = str(asked.now_ms - query.days * DAY_MS)
    try:
        cut = span(start, None, window_s, asked.now_ms)
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter="days") from error
    rates = RatesQuery(metric=[query.metric], window=query.window)
    wanted = SeriesAsked(customer, query.metric, rates, cut, window_s)
    ((_, found),) = series(asked.service, wanted)
    return Response(sparkline(query.metric, found, query.width, query.height), headers=HEADERS, media_type=SVG)


def badge(label: str, standing: str | None) -> str:
    """A badge. Pure."""
    said = (standing or "unknown").replace("_", " ")
    left, right = (len(text) * LETTER + 2 * ROOM for text in (label, said))
    return BADGE.format(
        label=escape(label),
        said=said,
        colour=COLOURS.get(standing or "", OTHER_COLOUR),
        whole=left + right,
        left=left,
        right=right,
        left_middle=left / 2,
        right_middle=left + right / 2,
    )


def sparkline(metric: str, found: Sequence[PointNumbers], width: int, height: int) -> str:
    """The windows' rates as lines, one for each run of points with mail. Pure."""
    rates = [each.window.rate for each in found]
    known = [each for each in rates if each is not None]
    top, step, room = max(known, default=0.0) or 1.0, (width - 2) / max(1, len(rates) - 1), height - 2
    runs: list[list[str]] = [[]]
    for place, rate in enumerate(rates):
        if rate is None:
            runs.append([])
        else:
            runs[-1].append(f"{1 + place * step:.1f},{1 + room * (1 - max(0.0, rate) / top):.1f}")
    # A line of one point is none: its end is drawn a little further.
    lines = "".join(LINE.format(points=" ".join(run if len(run) > 1 else [run[0], run[0]])) for run in runs if run)
    said = f"{metric}: no mail"
    if known:
        said = f"{metric}: at most {100 * max(known):.2f} %, at last {100 * known[-1]:.2f} %"
    return SPARKLINE.format(width=width, height=height, said=said, lines=lines)
