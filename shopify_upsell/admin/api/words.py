"""Words on pairs: the merchant blocks, lifts, pins or times a pair, with a note, and may take it back."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, post_load, validate

from shopify_upsell.admin.api.offer_schemas import GidField, Strict, whole
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.core import InvalidInput, NotFound, ProductId, gid
from shopify_upsell.ledger.store import products_by_id
from shopify_upsell.matrix.said import MERCHANT, MERCHANT_WORDS, PairWord
from shopify_upsell.matrix.words_store import merchant_words, say, take_back

LONGEST_NOTE = 200


class PairBody(Strict):
    """One directed pair: the companion beside the anchor."""

    anchor_product_id = GidField("Product", required=True)
    companion_product_id = GidField("Product", required=True)


class WordBody(PairBody):
    """A word on a pair. `window_days`: first and last day after delivery; a word `timed` needs it."""

    word = fields.String(required=True, validate=validate.OneOf(MERCHANT_WORDS))
    note = fields.String(load_default="", validate=validate.Length(max=LONGEST_NOTE))
    window_days = fields.List(whole(), load_default=None, allow_none=True, validate=validate.Length(equal=2))

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> PairWord:
        """The word as the matrix keeps it."""
        days = data["window_days"]
        return PairWord(
            ProductId(data["anchor_product_id"]),
            ProductId(data["companion_product_id"]),
            MERCHANT,
            data["word"],
            0.0,
            0,
            None,
            note=data["note"],
            window=(days[0], days[1]) if days is not None else None,
        )


class WordJson(Schema):
    """A word of the merchant's that stands."""

    anchor_product_id = fields.String()
    companion_product_id = fields.String()
    word = fields.String()
    note = fields.String()
    window_days = fields.List(fields.Integer(), allow_none=True)


class WordsJson(Schema):
    """Every word of the merchant's, by pair."""

    words = fields.List(fields.Nested(WordJson))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/pair-words`."""

    @blueprint.get("/pair-words")
    @blueprint.response(200, WordsJson)
    def list_words() -> dict[str, Any]:
        """List what the merchant has said of pairs and not taken back."""
        with reading(services) as session:
            return {"words": [_word(one) for one in merchant_words(session, caller().shop_id)]}

    @blueprint.put("/pair-words")
    @blueprint.arguments(WordBody)
    @blueprint.response(200, WordJson)
    def say_word(word: PairWord) -> dict[str, Any]:
        """Say a word on a pair: it wins over what was learned until it is taken back."""
        if word.anchor_product_id == word.companion_product_id:
            raise InvalidInput("companion_product_id: is the anchor itself")
        with writing(services) as session:
            shop_id = caller().shop_id
            unknown = {*word.pair} - set(products_by_id(session, shop_id, word.pair))
            if unknown:
                raise NotFound(f"no product {gid('Product', min(unknown))}")
            before = _held(session, word.anchor_product_id, word.companion_product_id)
            say(session, shop_id, word, caller().now)
            note(session, "pair_word", _pair(word.pair), before=_optional(before), after=_word(word))
        return _word(word)

    @blueprint.post("/pair-words/take-back")
    @blueprint.arguments(PairBody)
    @blueprint.response(200, WordsJson)
    def take_word_back(pair: dict[str, int]) -> dict[str, Any]:
        """Take a word back: what was learned of the pair holds again. The words that stand come back."""
        anchor, companion = ProductId(pair["anchor_product_id"]), ProductId(pair["companion_product_id"])
        with writing(services) as session:
            before = _held(session, anchor, companion)
            if before is None:
                raise NotFound("nothing was said of this pair")
            take_back(session, caller().shop_id, anchor, companion, caller().now)
            note(session, "pair_word", _pair((anchor, companion)), before=_word(before), after=None)
            return {"words": [_word(one) for one in merchant_words(session, caller().shop_id)]}


def _held(session: Any, anchor: ProductId, companion: ProductId) -> PairWord | None:
    said = merchant_words(session, caller().shop_id)
    return next((one for one in said if one.pair == (anchor, companion)), None)


def _word(one: PairWord) -> dict[str, Any]:
    known = asdict(one)
    return {
        "anchor_product_id": gid("Product", known["anchor_product_id"]),
        "companion_product_id": gid("Product", known["companion_product_id"]),
        "word": one.reason,
        "note": one.note,
        "window_days": list(one.window) if one.window is not None else None,
    }


def _optional(one: PairWord | None) -> dict[str, Any] | None:
    return None if one is None else _word(one)


def _pair(pair: tuple[ProductId, ProductId]) -> str:
    return f"{pair[0]}>{pair[1]}"
