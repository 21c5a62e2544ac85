"""The page at `/docs`: the OpenAPI document as HTML that loads nothing else, so that it works offline."""

import json
import re
from html import escape
from typing import Any

#: Nothing but the page itself and its own styles.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --dim: #5b6876; --line: #dbe1e8; --soft: #f4f6f9; --mark: #0b5cad;
  --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --dim: #98a5b3; --line: #323c48; --soft: #1c232c;
  --mark: #74b3f5; --page: #12171d } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem }
h1 { font-size: 1.9rem; margin: 0 } h2 { font-size: 1.25rem; margin: 0 0 .25rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem }
p { margin: .5rem 0 } a { color: var(--mark) }
nav { margin: 1.25rem 0 0; padding: .75rem 1rem; background: var(--soft); border-radius: .5rem }
nav ul { list-style: none; margin: 0; padding: 0 } nav li { padding: .1rem 0 }
section { border-top: 1px solid var(--line); margin-top: 2.25rem; padding-top: 1.75rem }
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
code { background: var(--soft); border-radius: .25rem; padding: .1em .3em }
pre { background: var(--soft); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto } pre code { padding: 0 }
.path { display: block; margin: .25rem 0 .75rem } .path b { color: var(--mark) }
.table { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .94rem }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--dim); font-weight: 600 } td:first-child { white-space: nowrap } td p { margin: 0 }
pre.answer { max-height: 26rem; overflow: auto; margin-top: .5rem }
.dim { color: var(--dim) }
"""

Document = dict[str, Any]
#: Characters a line of an example has at most, where its values allow.
EXAMPLE_WIDTH = 92


def page(document: Document) -> str:
    """The whole page of an OpenAPI 3.1 document."""
    info = document["info"]
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    entries = "".join(
        f'<li><a href="#{_anchor(path)}">{escape(operation["summary"])}</a> '
        f'<span class="dim">{method.upper()} {escape(path)}</span></li>'
        for path, method, operation in operations
    )
    schemas = document.get("components", {}).get("schemas", {})
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: interface</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])}</h1>{_text(info.get('description', ''))}"
        '<p class="dim">Version ' + escape(info["version"]) + ". For programs: "
        '<a href="openapi.json">openapi.json</a>.</p>'
        f"<nav><ul>{entries}</ul></nav>"
        + "".join(_operation(path, method, operation) for path, method, operation in operations)
        + "<section><h2>What the answers hold</h2>"
        + "".join(_schema(name, schema) for name, schema in schemas.items() if "properties" in schema)
        + "</section></main></body></html>"
    )


def _operation(path: str, method: str, operation: Document) -> str:
    parameters = operation.get("parameters", [])
    asked = "".join(
        _row(
            f"<code>{escape(each['name'])}</code>",
            _asked(each["schema"]) + ("" if each.get("required") else _default(each["schema"])),
            ("<b>required.</b> " if each.get("required") else "") + _inline(each.get("description", "")),
        )
        for each in parameters
    )
    answers = "".join(
        _row(f"<code>{status}</code>", _content(each), _inline(each["description"]))
        for status, each in operation["responses"].items()
    )
    return (
        f'<section id="{_anchor(path)}"><h2>{escape(operation["summary"])}</h2>'
        f'<code class="path"><b>{method.upper()}</b> {escape(path)}</code>'
        f"{_text(operation.get('description', ''))}"
        + (f"<h3>Parameters</h3>{_table(('Name', 'Value', 'Meaning'), asked)}" if asked else "")
        + "".join(
            f"<h3>Example</h3><pre><code>{escape(each['source'])}</code></pre>"
            for each in operation.get("x-codeSamples", [])
        )
        + _example(operation["responses"].get("200", {}))
        + f"<h3>Answers</h3>{_table(('Status', 'Body', 'Meaning'), answers)}</section>"
    )


def _schema(name: str, schema: Document) -> str:
    described = any("description" in each for each in schema["properties"].values())
    rows = "".join(
        _row(
            f"<code>{escape(field)}</code>",
            _type(each),
            *([_inline(each.get("description", ""))] if described else []),
        )
        for field, each in schema["properties"].items()
    )
    head = f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>'
    heads = ("Field", "Value", "Meaning") if described else ("Field", "Value")
    return f"{head}{_text(schema.get('description', ''))}{_table(heads, rows)}"


def _example(response: Document) -> str:
    """The example of an answer, whole; a long one scrolls."""
    return "".join(
        f'<pre class="answer"><code>{escape(_shown(content["example"]))}</code></pre>'
        for content in response.get("content", {}).values()
        if "example" in content
    )


def _shown(example: Any) -> str:
    return example if isinstance(example, str) else _json(example)


def _json(value: Any, indent: str = "") -> str:
    """JSON with what fits on a line on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(flat) <= EXAMPLE_WIDTH:
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        items = [inner + _json(each, inner) for each in value]
    else:
        items = [f"{inner}{json.dumps(name)}: {_json(each, inner)}" for name, each in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return f"{opening}\n" + ",\n".join(items) + f"\n{indent}{closing}"


def _asked(schema: Document) -> str:
    """As `_type`, for a parameter: it is left out rather than null."""
    choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return _type({**schema, "anyOf": choices} if choices else schema)


def _content(response: Document) -> str:
    return "<br>".join(
        f'{_type(each["schema"])}<br><span class="dim">{escape(kind)}</span>'
        for kind, each in response.get("content", {}).items()
    )


def _type(schema: Document) -> str:
    """What values a schema takes, in a few words; a named schema links to its table."""
    if target := schema.get("$ref"):
        name = escape(target.rsplit("/", 1)[-1])
        return f'<a href="#schema-{name}">{name}</a>'
    if choices := schema.get("anyOf"):
        return " or ".join(_type(each) for each in choices)
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return escape("time" if schema.get("format") == "date-time" else str(schema.get("type", "anything")))


def _default(schema: Document) -> str:
    if schema.get("default") is None:
        return ""
    return f'<br><span class="dim">default <code>{escape(str(schema["default"]))}</code></span>'


def _table(heads: tuple[str, ...], rows: str) -> str:
    return f'<div class="table"><table><tr>{"".join(f"<th>{each}</th>" for each in heads)}</tr>{rows}</table></div>'


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{each}</td>' for each in cells)}</tr>"


def _text(markdown: str) -> str:
    """Paragraphs and flat lists: all the markdown that the descriptions use."""
    blocks = (part.strip() for part in re.split(r"\n\s*\n", markdown))
    return "".join(_list(part) if part.startswith("- ") else f"<p>{_inline(part)}</p>" for part in blocks if part)


def _list(markdown: str) -> str:
    items = re.split(r"^- ", markdown, flags=re.MULTILINE)
    return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items if item)}</ul>"


def _inline(markdown: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(markdown.strip()))


def _anchor(path: str) -> str:
    return escape(path.strip("/").replace("/", "-"))
