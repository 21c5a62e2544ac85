"""Two small charts as SVG text: horizontal bars, and a curve. Readable on light and dark pages."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, ROW, LABEL, VALUE = 720, 28, 190, 110
HEIGHT, MARGIN = 280, 60
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#57606a}.bar{fill:#8c959f}.ours{fill:#1a7f5a}"
    ".line{stroke:#1a7f5a;stroke-width:2;fill:none}.guide{stroke:#8c959f;stroke-dasharray:4 4;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#b1bac4}}</style>"
)


def bars(rows: Sequence[tuple[str, float, bool]]) -> str:
    """A bar a row: its label, its value, and whether it is ours."""
    longest = max((value for _, value, _ in rows), default=0.0) or 1.0
    room = WIDTH - LABEL - VALUE
    parts = []
    for place, (label, value, ours) in enumerate(rows):
        top = 6 + place * ROW
        width = max(1.0, room * value / longest)
        parts.append(
            f'<text x="{LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="{"ours" if ours else "bar"}" x="{LABEL}" y="{top}" width="{width:.1f}" height="{ROW - 8}"/>'
            f'<text x="{LABEL + width + 8:.1f}" y="{top + 15}">{value:,.0f}</text>'
        )
    return _svg(WIDTH, len(rows) * ROW + 12, parts)


def curve(points: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """Values over a number that begins at 0; the dashed line is what would be in proportion to the first point."""
    right = max(x for x, _ in points)
    first_x, first_y = points[0]
    top = max(first_y / first_x * right, *(y for _, y in points))

    def at(x: float, y: float) -> str:
        return (
            f"{MARGIN + x / right * (WIDTH - 2 * MARGIN):.1f},{HEIGHT - MARGIN - y / top * (HEIGHT - 1.5 * MARGIN):.1f}"
        )

    parts = [
        f'<polyline class="guide" points="{at(0, 0)} {at(right, first_y / first_x * right)}"/>',
        f'<polyline class="line" points="{" ".join(at(x, y) for x, y in points)}"/>',
    ]
    for x, y in points:
        left, height = at(x, y).split(",")
        parts.append(
            f'<circle class="ours" cx="{left}" cy="{height}" r="4"/>'
            f'<text x="{left}" y="{float(height) + 20:.1f}" text-anchor="middle">{y:,.0f}</text>'
            f'<text x="{left}" y="{HEIGHT - MARGIN + 20}" text-anchor="middle">{x:g}</text>'
        )
    parts += [
        f'<line class="guide" x1="{MARGIN}" y1="{HEIGHT - MARGIN}" x2="{WIDTH - MARGIN}" y2="{HEIGHT - MARGIN}"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across)}</text>',
        f'<text x="{MARGIN}" y="16">{escape(up)}</text>',
    ]
    return _svg(WIDTH, HEIGHT, parts)


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"{STYLE}\n{body}\n</svg>\n"
    )
