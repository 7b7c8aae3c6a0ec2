"""A cart and the rules of the Ajax cart: lines by variant and properties, all-or-nothing adding, Shopify's refusals."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_QUANTITY = 1_000_000

# Tells how many units of a variant may be sold: None means any number. Raises KeyError for an unknown variant.
StockOf: TypeAlias = Callable[[int], int | None]


class CartRefused(Exception):
    """A refusal with the status and words of Shopify's Ajax cart."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


@dataclass(slots=True)
class CartLine:
    """Units of one variant with one set of properties."""

    variant_id: int
    quantity: int
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name the line: other properties make another line."""
        digest = hashlib.md5(json.dumps(self.properties, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        return f"{self.variant_id}:{digest}"


@dataclass(slots=True)
class Cart:
    """What a visitor has gathered. `secret` is the part after `?key=` that orders never carry."""

    token: str
    secret: str
    lines: list[CartLine] = field(default_factory=list)
    note: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def item_count(self) -> int:
        """Units in the cart."""
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True)
class Wish:
    """One item somebody asks to add."""

    variant_id: int
    quantity: int
    properties: dict[str, str]

    @property
    def key(self) -> str:
        """The key of the line it would become."""
        return CartLine(self.variant_id, self.quantity, self.properties).key


def read_wish(item: Mapping[str, object]) -> Wish:
    """Read an item of `/cart/add`.

    Raises: CartRefused 400 or 422 for what is no variant id or quantity.
    """
    variant_id = whole_number(item.get("id"), "Required parameter missing or invalid: id", status=400)
    quantity = whole_number(item.get("quantity") or 1, "Quantity must be a whole number", status=422)
    if not 1 <= quantity <= MAX_QUANTITY:
        raise CartRefused(422, "Quantity must be 1 or more")
    return Wish(variant_id, quantity, read_properties(item.get("properties")))


def whole_number(value: object, refusal: str, *, status: int) -> int:
    """Read a whole number that may come as text.

    Raises: CartRefused with the given status.
    """
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise CartRefused(status, refusal)
    return int(text)


def read_properties(value: object) -> dict[str, str]:
    """Read line properties; empty ones are dropped, as Shopify does."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): str(text) for name, text in value.items() if text not in (None, "")}


def add_all(cart: Cart, wishes: list[Wish], stock_of: StockOf, title_of: Callable[[int], str]) -> list[CartLine]:
    """Add every wish or none of them.

    Raises: CartRefused 404 for an unknown variant, 422 for too few in stock.
    """
    wanted: dict[int, int] = {}
    for wish in wishes:
        wanted[wish.variant_id] = wanted.get(wish.variant_id, 0) + wish.quantity
    for variant_id, quantity in wanted.items():
        _check_stock(cart, variant_id, quantity, stock_of, title_of)
    return [_put(cart, wish) for wish in wishes]


def _check_stock(cart: Cart, variant_id: int, quantity: int, stock_of: StockOf, title_of: Callable[[int], str]) -> None:
    try:
        stock = stock_of(variant_id)
    except KeyError:
        raise CartRefused(404, "Cannot find variant") from None
    if stock is None:
        return
    if stock <= 0:
        raise CartRefused(422, f"The product '{title_of(variant_id)}' is already sold out.")
    held = sum(line.quantity for line in cart.lines if line.variant_id == variant_id)
    if held + quantity > stock:
        raise CartRefused(422, f"All {stock} {title_of(variant_id)} are in your cart.")


def _put(cart: Cart, wish: Wish) -> CartLine:
    for line in cart.lines:
        if line.key == wish.key:
            line.quantity += wish.quantity
            return line
    # The newest line goes on top, as Shopify does.
    line = CartLine(wish.variant_id, wish.quantity, dict(wish.properties))
    cart.lines.insert(0, line)
    return line


def find_line(cart: Cart, request: Mapping[str, object]) -> CartLine:
    """Find the line a change means: by 1-based `line`, by line key, or by variant id.

    Raises: CartRefused 400 when there is no such line.
    """
    if request.get("line") is not None:
        at = whole_number(request["line"], "no valid id or line parameter", status=400)
        if 1 <= at <= len(cart.lines):
            return cart.lines[at - 1]
        raise CartRefused(400, "no valid id or line parameter")
    wanted = str(request.get("id", ""))
    for line in cart.lines:
        if wanted in (line.key, str(line.variant_id)):
            return line
    raise CartRefused(400, "no valid id or line parameter")


def change_line(
    cart: Cart, request: Mapping[str, object], stock_of: StockOf, title_of: Callable[[int], str]
) -> CartLine:
    """Set the quantity of a line (0 removes it), or overwrite all its properties.

    Raises: CartRefused 400 for no such line, 422 for too few in stock.
    """
    line = find_line(cart, request)
    if request.get("quantity") is not None:
        quantity = whole_number(request["quantity"], "Quantity must be a whole number", status=422)
        if quantity > line.quantity:
            _check_stock(cart, line.variant_id, quantity - line.quantity, stock_of, title_of)
        line.quantity = quantity
    if "properties" in request:
        line.properties = read_properties(request["properties"])
    cart.lines = [kept for kept in cart.lines if kept.quantity > 0]
    return line


def update_cart(cart: Cart, request: Mapping[str, object], is_known: Callable[[int], bool]) -> None:
    """Set many quantities at once, the note and attributes. Stock is not looked at, as Shopify doesn't.

    Raises: CartRefused 404 for a key that is in no line and no known variant.
    """
    updates = request.get("updates")
    if isinstance(updates, Mapping):
        for key, quantity in updates.items():
            _update_line(cart, str(key), whole_number(quantity, "Invalid quantity", status=422), is_known)
    elif isinstance(updates, list):
        for line, quantity in zip(cart.lines, updates, strict=False):
            line.quantity = whole_number(quantity, "Invalid quantity", status=422)
    cart.lines = [line for line in cart.lines if line.quantity > 0]
    if isinstance(request.get("note"), str):
        cart.note = str(request["note"])
    attributes = request.get("attributes")
    if isinstance(attributes, Mapping):
        cart.attributes.update({str(name): str(value) for name, value in attributes.items()})


def _update_line(cart: Cart, key: str, quantity: int, is_known: Callable[[int], bool]) -> None:
    for line in cart.lines:
        if key in (line.key, str(line.variant_id)):
            line.quantity = quantity
            return
    if not key.isdigit() or not is_known(int(key)):
        raise CartRefused(404, "Cannot find variant")
    if quantity > 0:
        cart.lines.insert(0, CartLine(int(key), quantity))
