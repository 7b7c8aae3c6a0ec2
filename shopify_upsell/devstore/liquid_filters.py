"""Shopify's Liquid filters and the `schema` tag, as far as themes and theme extensions here use them.

Values are written as they are: like Shopify's, these templates escape by hand.
"""

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, TextIO

from liquid import Environment, TokenStream
from liquid.ast import Node
from liquid.context import RenderContext
from liquid.tag import Tag
from liquid.token import TOKEN_EOF, TOKEN_TAG

from shopify_upsell.devstore.amounts import from_hundredths
from shopify_upsell.devstore.catalogue import handleize


class _SchemaNode(Node):
    """Draws nothing."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return 0


class SchemaTag(Tag):
    """`{% schema %}` … `{% endschema %}`: JSON for the theme editor, not for the page."""

    name = "schema"
    end = "endschema"

    def parse(self, stream: TokenStream) -> Node:
        """Skip everything up to the end of the schema."""
        node = _SchemaNode(stream.current)
        next(stream)
        while stream.current.kind != TOKEN_EOF:
            if stream.current.kind == TOKEN_TAG and stream.current.value == self.end:
                return node
            next(stream)
        raise SyntaxError("the schema is never closed")


def block_schema(source: str) -> dict[str, Any]:
    """Read the JSON between `{% schema %}` and `{% endschema %}`; a block without one has no settings."""
    found = re.search(r"\{%-?\s*schema\s*-?%\}(.*?)\{%-?\s*endschema\s*-?%\}", source, re.DOTALL)
    schema = json.loads(found[1]) if found else {}
    return schema if isinstance(schema, dict) else {}


def safe_json(value: object) -> str:
    """Write JSON that may stand inside a script element."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def image_url(value: object, **options: object) -> str:
    """Address an image, given as such, as a product or as text."""
    if isinstance(value, Mapping):
        value = value.get("src") or value.get("url") or value.get("featured_image") or ""
        if isinstance(value, Mapping):
            value = value.get("src", "")
    query = "&".join(f"{name}={setting}" for name, setting in options.items() if setting)
    return f"{value}?{query}" if query and value else str(value or "")


def image_tag(value: object, **options: object) -> str:
    """Draw an image element with the attributes given."""
    attributes = "".join(f' {name}="{escape(str(text))}"' for name, text in options.items())
    return f'<img src="{escape(image_url(value))}"{attributes}>'


def make_translate(words: Mapping[str, Any], locale: str) -> Callable[..., str]:
    """Build the `t` filter over a locale file: dotted keys, `{{ name }}` in texts, one and other by `count`."""

    def translate(key: object, **values: object) -> str:
        found: Any = words
        for step in str(key).split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            found = found.get("one" if values.get("count") == 1 else "other")
        if found is None:
            return f"translation missing: {locale}.{key}"
        is_html = str(key).endswith("_html")

        def fill(match: re.Match[str]) -> str:
            text = str(values.get(match[1], ""))
            return text if is_html else escape(text)

        return re.sub(r"\{\{\s*(\w+)\s*\}\}", fill, str(found))

    return translate


def register(environment: Environment, currency: str, asset_root: str, translate: Callable[..., str]) -> None:
    """Teach an environment Shopify's filters. `asset_root` is where its assets are served."""

    def money(amount: object) -> str:
        return from_hundredths(int(str(amount or 0)), currency)

    environment.add_tag(SchemaTag)
    environment.filters.update(
        {
            "asset_url": lambda name: f"{asset_root}/{name}",
            "script_tag": lambda url: f'<script src="{escape(str(url))}"></script>',
            "stylesheet_tag": lambda url, **_: f'<link rel="stylesheet" href="{escape(str(url))}">',
            "money": money,
            "money_with_currency": lambda amount: f"{money(amount)} {currency}",
            "money_without_trailing_zeros": lambda amount: re.sub(r"\.00$", "", money(amount)),
            "t": translate,
            "image_url": image_url,
            "image_tag": image_tag,
            "json": safe_json,
            "handle": lambda text: handleize(str(text)),
            "handleize": lambda text: handleize(str(text)),
        }
    )
