"""A small dev store, with something that listens in the app's place."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders_devstore import BLOCK, KEY, SCHEMA, SECRET, Clock, Listener
from flask import Flask
from flask.testing import FlaskClient

from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.server import create_devstore


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()
    thread.join(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def extensions_dir(tmp_path: Path) -> Path:
    """A theme extension of one block."""
    theme = tmp_path / "extensions" / "upsell-theme"
    for folder in ("blocks", "assets", "locales"):
        (theme / folder).mkdir(parents=True)
    (theme / "blocks" / "offer.liquid").write_text(BLOCK)
    (theme / "assets" / "offer.js").write_text("/* offer */")
    (theme / "locales" / "en.default.json").write_text('{"offer": {"hello": "Hello {{ name }}"}}')
    (theme / "locales" / "de.json").write_text('{"offer": {"hello": "Hallo {{ name }}"}}')
    (theme / "locales" / "en.default.schema.json").write_text("{}")
    return tmp_path / "extensions"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, listener: Listener, clock: Clock, extensions_dir: Path) -> DevstoreConfig:
    """A small installed shop that delivers at once, tries again soon and never plays tricks."""
    monkeypatch.setenv("WELLPAIRED_ENV", "test")
    return DevstoreConfig(
        app_url=listener.url,
        api_key=KEY,
        api_secret=SECRET,
        extensions_dir=extensions_dir,
        schema_path=SCHEMA,
        order_count=60,
        clock=clock,
        installed=True,
        duplicate_rate=0.0,
        retry_delays=(0.01, 0.02),
        webhook_timeout=2.0,
    )


@pytest.fixture
def start(config: DevstoreConfig) -> Iterator[Callable[..., FlaskClient]]:
    """Start a dev store with some settings changed; gives a visitor's client."""
    started: list[Flask] = []

    def start(**changes: Any) -> FlaskClient:
        app = create_devstore(replace(config, **changes))
        started.append(app)
        return app.test_client()

    yield start
    for app in started:
        app.extensions["devstore"].deliveries.close()


@pytest.fixture
def store(start: Callable[..., FlaskClient]) -> FlaskClient:
    return start()
