"""What every printed page of ours is made of: a frame, sections, tables, badges. Pure.

A page needs nothing else: no script, no picture, no request. Its one style sheet is inside, and its digest is the only
style that the page's own policy lets in. Readable at 375 px, on paper, without colour and by ear.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence

from shopify_upsell.reports.chart_paper import escaped

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f1f1f1; color: #303030; font: 14px/1.5 Inter, system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.125rem; line-height: 1.3; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
section { background: #fff; border: 1px solid #d0d0d0; border-radius: 12px; padding: 1rem; margin: 0 0 1rem; }
p { margin: 0 0 .75rem; max-width: 48rem; }
a { color: #0b5cad; }
a:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 2px solid #0b5cad; outline-offset: 2px; }
.verdict { font-size: 1.125rem; font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.facts div { border: 1px solid #d0d0d0; border-radius: 8px; padding: .75rem; }
.facts dt { color: #616161; }
.facts dd { margin: 0; font-size: 1.125rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts dd small { display: block; font-size: .8125rem; font-weight: 400; color: #616161; }
.badge { display: inline-block; border: 1px solid #8a6100; border-radius: 8px; background: #fff3d6; color: #4f3800;
  font-size: .75rem; font-weight: 600; line-height: 1; padding: .375rem .5rem;
  margin: .125rem 0; text-decoration: none; }
.wide { overflow-x: auto; max-width: 100%; margin: 0 0 1rem; }
figure { margin: 1rem 0; }
figcaption { font-weight: 600; margin: 0 0 .25rem; }
figure > svg, .wide svg { display: block; width: 100%; min-width: 30rem; max-width: 45rem; height: auto; }
summary { cursor: pointer; min-height: 2.75rem; padding: .75rem 0; color: #0b5cad; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 3.5rem); }
th, td { padding: .375rem .5rem; border-bottom: 1px solid #d0d0d0; text-align: right; white-space: nowrap; }
th[scope=row], thead th:first-child { text-align: left; }
tbody th { font-weight: 400; }
td { font-variant-numeric: tabular-nums; }
.assumptions dt { margin: .75rem 0 .25rem; }
.assumptions dd { margin: 0; max-width: 48rem; }
.quiet { color: #616161; }
@media (max-width: 30rem) {
  main { padding: .5rem; }
  section { padding: .75rem; border-radius: 8px; }
  th[scope=row] { white-space: normal; min-width: 6.5rem; }
}
@media print { body { background: #fff; } section { border: 0; padding: 0; break-inside: avoid; } }
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy that a page is sent with: its own style sheet, and nothing else."""


def page(title: str, parts: Iterable[str]) -> str:
    """Put parts into a page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escaped(title)}</h1>\n{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def section(name: str, title: str, parts: Iterable[str]) -> str:
    """Put parts under a heading. Shape: `name` letters and hyphens, unique on its page."""
    body = "".join(parts)
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{escaped(title)}</h2>{body}</section>\n'


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph."""
    return f"<p{_class(kind)}>{escaped(text)}</p>"


def badge(code: str, words: str) -> str:
    """Mark a number as resting on an assumption, with a link to what it is."""
    return f'<a class="badge" href="#assumption-{escaped(code)}">Assumed: {escaped(words)}</a>'


def facts(listed: Iterable[tuple[str, str, str, str]]) -> str:
    """Show a few numbers large. Shape: name, number, what goes with it, badges as markup."""
    each = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(number)}<small>{escaped(beside)}</small></dd>"
        f"{f'<dd><small>{badges}</small></dd>' if badges else ''}</div>"
        for name, number, beside, badges in listed
    )
    return f'<dl class="facts">{each}</dl>'


def wide(label: str, markup: str) -> str:
    """Let something wide scroll within itself, by keyboard too."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escaped(label)}">{markup}</div>'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose rows are named by their first cell. It scrolls where it must."""
    top = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    name = f"<caption><span>{escaped(caption)}</span></caption>"
    markup = f"<table>{name}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return wide(caption, markup)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
