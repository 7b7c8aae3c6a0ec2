"""Where nothing is offered, whoever asks: pages where somebody is worried, signing in, paying, or reading their rights.

Pure. In: what the storefront says of the page. Out: the code of the quiet zone it is in, or None. The list is closed
and read word by word, so that a product called "return address stamp" is an ordinary product.
"""

import re
from urllib.parse import unquote

CONTEXTS = {
    "returns": "quiet_returns",
    "cancel": "quiet_cancel",
    "tracking": "quiet_order_tracking",
    "payment": "quiet_payment",
    "login": "quiet_login",
    "policy": "quiet_policy",
    "accessibility": "quiet_accessibility",
}
"""What a surface that knows where it runs may say, and the code that it gives."""

QUIET_CODES = tuple(sorted(set(CONTEXTS.values())))

PAGE_TYPES = {
    "customers/login": "quiet_login",
    "customers/register": "quiet_login",
    "customers/activate_account": "quiet_login",
    "customers/reset_password": "quiet_login",
    "captcha": "quiet_login",
    "password": "quiet_login",
    "policy": "quiet_policy",
}
"""Source: Liquid `request.page_type`, shopify.dev "request" object (read 2026-11-22); `password` is a closed shop."""

ORDER_PAGES = frozenset({"customers/order", "order_status", "thank_you"})
"""Pages about one order: quiet while that order is late or in trouble."""

WORDS = {
    "quiet_returns": (
        "return returns refund refunds exchange exchanges rma retour retours retoure retouren ruckgabe rueckgabe "
        "rückgabe umtausch widerruf erstattung remboursement remboursements echange échange devolucion "
        "devoluciones devolución reembolso reso resi rimborso rimborsi terugsturen retourneren terugbetaling "
        "devolucao devolução reembolsos "
        "retur returer returnering palautus zwrot zwroty 返品 返金 交換"
    ),
    "quiet_cancel": (
        "cancel cancellation cancellations cancelling stornieren stornierung kundigung kuendigung kündigung kündigen "
        "annuler annulation resilier résilier cancelar cancelacion cancelación cancelamento annulla annullamento "
        "disdetta annuleren annulering opzeggen avbestill avboka annullering peruutus anulowanie キャンセル 解約"
    ),
    "quiet_order_tracking": (
        "track tracking sendungsverfolgung suivi seguimiento rastreo rastreamento tracciamento volgen sporing sparning "
        "spårning seuranta sledzenie śledzenie 追跡 配送状況"
    ),
    "quiet_login": "login signin register challenge activate",
    "quiet_policy": (
        "policy policies privacy terms imprint impressum datenschutz agb confidentialite confidentialité cgv "
        "privacidad terminos términos legal privacybeleid voorwaarden condizioni privacidade termos datapolitik "
        "integritetspolicy"
    ),
    "quiet_accessibility": (
        "accessibility barrierefreiheit accessibilite accessibilité accesibilidad accessibilita accessibilità "
        "toegankelijkheid tilgjengelighet tillganglighet tillgänglighet saavutettavuus acessibilidade"
    ),
}
"""Words of a page's address in the languages that Shopify's own themes speak most. Source: collected by hand."""

_CODE_BY_WORD = {word: code for code, words in WORDS.items() for word in words.split()}
_SHOPS_OWN = frozenset({"pages", "apps", "a", "tools", "community", "account", "policies", "challenge", "checkouts"})
"""First parts of an address whose rest a merchant or an app names; products, collections and articles are not here."""

_LOCALE = re.compile(r"[a-z]{2}(?:-[a-z]{2,4})?", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[-_.+ ]+")
_PRECEDENCE = (
    "quiet_payment", "quiet_returns", "quiet_cancel", "quiet_login", "quiet_accessibility", "quiet_policy",
    "quiet_order_tracking",
)  # fmt: skip
LONGEST_PATH = 500


def quiet_reason(
    page: str | None,
    path: str | None = None,
    *,
    context: str | None = None,
    is_delivery_late: bool | None = None,
) -> str | None:
    """The code of the quiet zone that a page lies in, or None where asking disturbs nobody.

    `page`: Shopify's page type. `path`: the page's address without its host. `context`: one of `CONTEXTS`.
    `is_delivery_late`: whether the shopper's open order is late or in trouble, None when that is not known; then
    pages that are all about the delivery are quiet, for who looks there has a reason.
    """
    said = CONTEXTS.get(context or "")
    if said is not None and said != "quiet_order_tracking":
        return said
    found = PAGE_TYPES.get(page or "") or _code_of_path(path or "")
    if found is None and page in ORDER_PAGES and is_delivery_late:
        return "quiet_order_tracking"
    if (found or said) == "quiet_order_tracking":
        return None if is_delivery_late is False else "quiet_order_tracking"
    return found


def _code_of_path(path: str) -> str | None:
    address = path[:LONGEST_PATH].split("?")[0].split("#")[0]
    parts = [part for part in unquote(address).casefold().split("/") if part]
    # Markets and languages put a part of their own in front; "/a/" is an app's, not a language.
    if len(parts) > 1 and parts[0] not in _SHOPS_OWN and _LOCALE.fullmatch(parts[0]):
        parts = parts[1:]
    if not parts or parts[0] not in _SHOPS_OWN:
        return None
    if parts[0] == "checkouts":
        return "quiet_payment"
    words = {word for part in parts for word in _BETWEEN_WORDS.split(part)}
    codes = {_CODE_BY_WORD[word] for word in words if word in _CODE_BY_WORD}
    return next((code for code in _PRECEDENCE if code in codes), None)
