"""The theme extension's own blocks, drawn where a merchant would have put them.

Read from disk at every page: whoever works on the extension reloads and sees.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from liquid import CachingFileSystemLoader, Environment

from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.liquid_filters import block_schema, make_translate, register

ASSET_ROOT = "/extensions/upsell-theme/assets"


@dataclass(frozen=True, slots=True)
class BlockFile:
    """One block of the extension with its schema."""

    name: str
    schema: Mapping[str, Any]

    def is_for(self, template: str) -> bool:
        """Tell whether the block may stand on the template."""
        on = self.schema.get("enabled_on", {}).get("templates")
        off = self.schema.get("disabled_on", {}).get("templates", [])
        is_enabled = on is None or template in on or "*" in on
        return is_enabled and template not in off and "*" not in off

    def settings(self, chosen: Mapping[str, object]) -> dict[str, object]:
        """The settings a merchant has after adding the block: the schema's defaults, then what was chosen."""
        defaults = {row["id"]: row.get("default") for row in self.schema.get("settings", []) if "id" in row}
        return {**defaults, **chosen}


@dataclass(frozen=True, slots=True)
class DrawnBlocks:
    """Markup of the blocks of one page, and the head elements they ask for."""

    sections: str
    embeds: str
    head: str


class ThemeBlocks:
    """Draws the blocks of one extension folder."""

    def __init__(self, config: DevstoreConfig, currency: str) -> None:
        self.config = config
        self.currency = currency
        self.folder = config.theme_dir

    def files(self) -> list[BlockFile]:
        """List the extension's blocks; none when the extension isn't there yet."""
        found = sorted((self.folder / "blocks").glob("*.liquid"))
        return [BlockFile(path.stem, block_schema(path.read_text(encoding="utf-8"))) for path in found]

    def locales(self) -> list[str]:
        """List the languages that the extension speaks, the default first."""
        names = [path.name for path in sorted((self.folder / "locales").glob("*.json"))]
        shown = [name for name in names if ".schema." not in name]
        return [name.split(".")[0] for name in sorted(shown, key=lambda name: ".default." not in name)]

    def draw(self, template: str, page: Mapping[str, object], locale: str) -> DrawnBlocks:
        """Draw every block that belongs on the template."""
        files = [file for file in self.files() if file.is_for(template)]
        environment = self._environment(locale) if files else None
        drawn = {file.name: self._draw_one(environment, file, page) for file in files if environment}
        sections = [drawn[file.name] for file in files if file.schema.get("target", "section") == "section"]
        embeds = [drawn[file.name] for file in files if file.schema.get("target") in ("body", "head")]
        return DrawnBlocks("\n".join(sections), "\n".join(embeds), "\n".join(_head(files)))

    def asset(self, name: str) -> Path | None:
        """Find an asset by its flat name."""
        path = self.folder / "assets" / Path(name).name
        return path if path.is_file() and path.name == name else None

    def _environment(self, locale: str) -> Environment:
        folders: list[str | Path] = [self.folder / "blocks", self.folder / "snippets"]
        environment = Environment(loader=CachingFileSystemLoader(folders, ext=".liquid"), strict_filters=True)
        register(environment, self.currency, ASSET_ROOT, make_translate(self._words(locale), locale))
        return environment

    def _words(self, locale: str) -> Mapping[str, Any]:
        folder = self.folder / "locales"
        candidates = [folder / f"{locale}.json", folder / f"{locale}.default.json", *folder.glob("??.default.json")]
        for path in candidates:
            if path.is_file():
                words: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return words
        return {}

    def _draw_one(self, environment: Environment, file: BlockFile, page: Mapping[str, object]) -> str:
        block_id = f"A{file.name}"
        request = page.get("request")
        is_editor = isinstance(request, Mapping) and bool(request.get("design_mode"))
        attributes = escape(json.dumps({"id": block_id, "type": f"shopify://apps/wellpaired/blocks/{file.name}"}))
        block = {
            "id": block_id,
            "type": file.name,
            # Empty on the live storefront, as Shopify leaves it.
            "shopify_attributes": f'data-shopify-editor-block="{attributes}"' if is_editor else "",
            "settings": file.settings(self.config.block_settings.get(file.name, {})),
        }
        markup = environment.get_template(file.name).render(**{**page, "block": block, "section": {"id": "main"}})
        tag = str(file.schema.get("tag") or "div")
        extra = str(file.schema.get("class") or "")
        class_names = escape(f"shopify-app-block {extra}".strip())
        return f'<{tag} id="shopify-block-{block_id}" class="{class_names}">{markup}</{tag}>'


def _head(files: list[BlockFile]) -> list[str]:
    """Each stylesheet and script once, scripts without blocking the page, as Shopify loads them."""
    styles = dict.fromkeys(str(file.schema["stylesheet"]) for file in files if file.schema.get("stylesheet"))
    scripts = dict.fromkeys(str(file.schema["javascript"]) for file in files if file.schema.get("javascript"))
    return [
        *(f'<link rel="stylesheet" href="{ASSET_ROOT}/{escape(name)}">' for name in styles),
        *(f'<script src="{ASSET_ROOT}/{escape(name)}" async></script>' for name in scripts),
    ]
