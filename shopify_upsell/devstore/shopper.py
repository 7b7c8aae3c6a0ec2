"""A shopper's browser without a browser: pages and JSON over HTTP, and what is needed of the markup."""

import json
import re
import uuid
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import requests

TIMEOUT = 30.0


class JourneyFailed(Exception):
    """A step of the journey was not observed. The message says which, in a sentence."""


class _Finder(HTMLParser):
    """Finds the attributes of the first element that has a certain attribute, and the text of JSON scripts."""

    def __init__(self, attribute: str) -> None:
        super().__init__()
        self.attribute = attribute
        self.found: dict[str, str] | None = None
        self.scripts: dict[str, str] = {}
        self._script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if self.found is None and self.attribute in values:
            self.found = values
        self._script = values.get("id", "") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def attributes_of(markup: str, attribute: str) -> dict[str, str] | None:
    """Read all attributes of the first element that carries the one named."""
    finder = _Finder(attribute)
    finder.feed(markup)
    return finder.found


def script_json(markup: str, element_id: str) -> dict[str, Any]:
    """Read the JSON in a script element.

    Raises: JourneyFailed when the page has no such element.
    """
    finder = _Finder("-")
    finder.feed(markup)
    if element_id not in finder.scripts:
        raise JourneyFailed(f"The page has no data in #{element_id}.")
    data = json.loads(finder.scripts[element_id])
    return data if isinstance(data, dict) else {}


def id_number(gid: str) -> int:
    """Take the number out of a GID."""
    found = re.search(r"/(\d+)$", gid)
    if found is None:
        raise JourneyFailed(f"{gid!r} is not an id of Shopify's.")
    return int(found[1])


class Shopper:
    """One visitor: a cookie jar, and a visitor id once they agreed to it."""

    def __init__(self, store_url: str, app_url: str) -> None:
        self.store_url = store_url.rstrip("/")
        self.app_url = app_url.rstrip("/")
        self.session = requests.Session()
        self.visitor_id: str | None = None

    def agree(self) -> None:
        """Accept in the consent banner; the extension then keeps a visitor id."""
        self.session.cookies.set("consent", "yes")
        self.visitor_id = str(uuid.uuid4())

    def page(self, path: str) -> str:
        """Open a page of the store.

        Raises: JourneyFailed unless it answers 200.
        """
        answer = self._call("GET", self.store_url + path)
        if answer.status_code != 200:
            raise JourneyFailed(f"The page {path} answered {answer.status_code}.")
        return answer.text

    def submit(self, path: str) -> tuple[str, str]:
        """Submit a form of the store; gives the path where it ended, and the page there.

        Raises: JourneyFailed unless it ends at 200.
        """
        answer = self._call("POST", self.store_url + path)
        if answer.status_code != 200:
            raise JourneyFailed(f"The form {path} answered {answer.status_code}.")
        return answer.url.removeprefix(self.store_url), answer.text

    def store_json(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call the store as a script on its pages would."""
        return self._json(self._call(method, self.store_url + path, json=body, params=query), path)

    def extension_json(self, path: str, token: str, body: object) -> dict[str, Any]:
        """Call the app as the post-purchase extension would."""
        headers = {"Authorization": f"Bearer {token}", "Origin": "https://cdn.shopify.com"}
        return self._json(self._call("POST", self.app_url + path, json=body, headers=headers), path)

    def _call(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            return self.session.request(method, url, timeout=TIMEOUT, **options)
        except requests.RequestException as wrong:
            raise JourneyFailed(f"{url} did not answer: {type(wrong).__name__}.") from wrong

    def _json(self, answer: requests.Response, path: str) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.status_code != 200 or not isinstance(body, dict):
            raise JourneyFailed(f"{path} answered {answer.status_code}: {answer.text[:200]}")
        return body
