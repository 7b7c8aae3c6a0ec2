"""Ask a shop's Admin API. Comes in: an operation's name and variables. Goes out: its data, or a typed failure.

Operations are the `.graphql` files beside this module; tests hold them against Shopify's own schema. Three layers can
say no: HTTP, the `errors` of the answer, and the `userErrors` of a mutation. Data that came with errors is kept, since
Shopify blanks single fields for want of approval and answers the rest.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

import requests

from shopify_upsell.gateway.failures import (
    AdminApiRefused,
    AdminApiThrottled,
    AdminApiUnauthorized,
    ShopifyUnreachable,
    ShopUnavailable,
)
from shopify_upsell.gateway.http_call import RETRY_AFTER, HttpAnswer, Limits, new_session, post
from shopify_upsell.gateway.throttle import Budget, Throttle, read_throttle, wait_told

log = logging.getLogger(__name__)

API_VERSION = "2026-10"
LONGEST_NAP = timedelta(seconds=5)
"""A budget that is back sooner is waited for here; otherwise the job makes room for others."""


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of `errors`: what Shopify could not answer, and where."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class AdminAnswer:
    """What came back. `data` may be partial: look at `errors`, or take `whole()`."""

    data: Mapping[str, Any]
    errors: tuple[ApiError, ...] = ()
    throttle: Throttle | None = None

    @property
    def user_errors(self) -> tuple[ApiError, ...]:
        """What a mutation refused although the request was well formed."""
        return tuple(
            ApiError(str(error.get("code") or "user_error").lower(), str(error.get("message", "")))
            for payload in self.data.values()
            if isinstance(payload, dict)
            for error in payload.get("userErrors") or ()
        )

    def whole(self) -> Mapping[str, Any]:
        """Return the data if nothing was left out. Raises: AdminApiRefused with the first error's code."""
        for error in (*self.errors, *self.user_errors):
            raise AdminApiRefused(error.message, code=error.code)
        return self.data


@dataclass(slots=True)
class AdminClient:
    """Speaks for one shop with one token. Serves one thread.

    `renew` is asked once for another token when Shopify refuses this one; it returns None when there is none.
    """

    shop_domain: str
    access_token: str = field(repr=False)
    origin: str
    renew: Callable[[str], str | None] | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)

    _session: requests.Session = field(default_factory=new_session, init=False, repr=False)
    _budget: Budget = field(default_factory=Budget, init=False, repr=False)

    def run(self, operation_name: str, variables: Mapping[str, Any] | None = None) -> AdminAnswer:
        """Run one operation.

        Raises: AdminApiThrottled and ShopifyUnreachable (try later); AdminApiUnauthorized, AdminApiRefused,
        ShopUnavailable and AnswerTooLarge (final); what `renew` raises.
        """
        self._wait_for_budget(operation_name)
        answer = self._post(operation_name, variables or {})
        if answer.status == 401 and self._take_new_token():
            answer = self._post(operation_name, variables or {})
        _check_status(answer)
        self._check_version(answer)
        return self._read(operation_name, answer)

    def _post(self, operation_name: str, variables: Mapping[str, Any]) -> HttpAnswer:
        question = {
            "query": operation_text(operation_name),
            "variables": dict(variables),
            "operationName": document_name(operation_name),
        }
        headers = {
            "X-Shopify-Access-Token": self.access_token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        url = f"{self.origin}/admin/api/{API_VERSION}/graphql.json"
        return post(self._session, url, headers=headers, body=json.dumps(question).encode(), limits=self.limits)

    def _take_new_token(self) -> bool:
        token = self.renew(self.access_token) if self.renew is not None else None
        if token is None or token == self.access_token:
            return False
        self.access_token = token
        return True

    def _wait_for_budget(self, operation_name: str) -> None:
        wait = self._budget.wait_before(operation_name, self.monotonic())
        if wait > LONGEST_NAP:
            raise AdminApiThrottled("the budget is not back yet", after=wait)
        if wait > timedelta(0):
            self.sleep(wait.total_seconds())

    def _check_version(self, answer: HttpAnswer) -> None:
        """A version that no longer exists is answered by another one without an error, and must be noticed."""
        served = answer.headers.get("X-Shopify-API-Version")
        if served is not None and served != API_VERSION:
            log.warning("api_version_differs", extra={"asked": API_VERSION, "served": served[:20]})

    def _read(self, operation_name: str, answer: HttpAnswer) -> AdminAnswer:
        document = _json_object(answer)
        throttle = read_throttle(document)
        self._budget.note(operation_name, throttle, self.monotonic())
        data, errors = document.get("data"), _errors(document.get("errors"))
        codes = {error.code for error in errors}
        if "throttled" in codes:
            raise AdminApiThrottled("Shopify throttled the call", after=wait_told(throttle))
        if isinstance(data, dict):
            if errors:
                log.warning("admin_api_partial", extra={"operation": operation_name, "codes": sorted(codes)})
            return AdminAnswer(data, errors, throttle)
        raise _refusal(errors)


def document_name(operation_name: str) -> str:
    """The name an operation goes by inside its file: `orders_updated` holds `query OrdersUpdated`."""
    return "".join(word.capitalize() for word in operation_name.split("_"))


@lru_cache(maxsize=64)
def operation_text(operation_name: str) -> str:
    """The text of an operation. Raises: FileNotFoundError for a name we do not have."""
    return (files(__package__) / "operations" / f"{operation_name}.graphql").read_text(encoding="utf-8")


def _check_status(answer: HttpAnswer) -> None:
    status = answer.status
    if status == 401:
        raise AdminApiUnauthorized("the access token was refused")
    if status in (402, 403, 404, 423):
        raise ShopUnavailable(f"the shop answers {status}", http_status=status)
    if status in (429, 430):
        raise AdminApiThrottled(f"the shop answers {status}", after=wait_told(None, answer.headers.get("Retry-After")))
    if 400 <= status < 500 and status not in (408, 425):
        raise AdminApiRefused(f"the shop answers {status}")
    if status != 200:
        raise ShopifyUnreachable(f"the shop answers {status}", after=RETRY_AFTER)


def _json_object(answer: HttpAnswer) -> dict[str, Any]:
    if not answer.headers.get("Content-Type", "").lower().startswith("application/json"):
        raise ShopifyUnreachable("the answer is not JSON", after=RETRY_AFTER)
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ShopifyUnreachable("the answer is cut off or malformed", after=RETRY_AFTER) from None
    if not isinstance(document, dict):
        raise ShopifyUnreachable("the answer is not an object", after=RETRY_AFTER)
    return document


def _errors(entries: object) -> tuple[ApiError, ...]:
    """Read `errors`, a list by the book, a bare text in some of Shopify's refusals."""
    if not isinstance(entries, list):
        return (ApiError("shopify_refused", str(entries)[:500]),) if entries else ()
    return tuple(_error(entry) for entry in entries)


def _error(entry: object) -> ApiError:
    if not isinstance(entry, dict):
        return ApiError("shopify_refused", str(entry)[:500])
    extensions = entry.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    path = entry.get("path")
    return ApiError(
        code=str(code or "shopify_refused").lower(),
        message=str(entry.get("message", ""))[:500],
        path=tuple(path) if isinstance(path, list) else (),
    )


def _refusal(errors: tuple[ApiError, ...]) -> Exception:
    """What an answer without data means."""
    if not errors:
        return ShopifyUnreachable("the answer holds no data", after=RETRY_AFTER)
    first = errors[0]
    if first.code in ("internal_server_error", "timeout"):
        return ShopifyUnreachable("Shopify failed inside", after=RETRY_AFTER)
    if first.code == "shop_inactive":
        return ShopUnavailable("the shop is inactive")
    return AdminApiRefused(first.message, code=first.code)
