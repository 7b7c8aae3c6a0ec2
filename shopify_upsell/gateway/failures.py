"""How a call to Shopify can fail. Jobs see two families: RetryLater waits without counting, all else is final."""

from datetime import timedelta

from shopify_upsell.core import RetryLater, UpsellError


class ShopifyUnreachable(RetryLater):
    """No usable answer: network, timeout, server error, a cut-off or malformed body, a redirect we do not follow."""

    code = "shopify_unreachable"


class AdminApiThrottled(RetryLater):
    """Our budget with this shop is spent; `after` is the wait that Shopify's own figures give."""

    code = "shopify_throttled"


class NeedsReauthorization(RetryLater):
    """The tokens are dead until a merchant opens the app. Work waits: it is not lost and makes no calls meanwhile."""

    code = "needs_reauthorization"

    def __init__(self, message: str = "a merchant must open the app again") -> None:
        super().__init__(message, after=timedelta(hours=1))


class ShopUnavailable(UpsellError):
    """The shop is frozen, locked, gone or has uninstalled us: asking again would be a storm, not a cure."""

    code = "shop_unavailable"

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class AdminApiUnauthorized(UpsellError):
    """The access token was refused, and a new one was not to be had or was refused too."""

    code = "shopify_unauthorized"


class AdminApiRefused(UpsellError):
    """Shopify understood and said no. `code` is its own code in lower case: `access_denied`, `max_cost_exceeded`."""

    code = "shopify_refused"


class AnswerTooLarge(UpsellError):
    """The answer exceeds what we are willing to hold in memory; the same question would get the same answer."""

    code = "answer_too_large"
