"""The planted truth: what the generated history is made to say, so that what was learned can be checked against it.

Pure data. `docs/devstore.md` explains each kind.
"""

from dataclasses import dataclass

from shopify_upsell.devstore.catalogue import DISCONTINUED, OUT_OF_STOCK, UNLISTED, Product


@dataclass(frozen=True, slots=True)
class PlantedPair:
    """Orders with the anchor also take the companion with this chance."""

    anchor: str
    companion: str
    rate: float


@dataclass(frozen=True, slots=True)
class PlantedSequence:
    """Customers who bought `first` come back for `then` with this chance, around `peak_days` later."""

    first: str
    then: str
    rate: float
    peak_days: int


PAIRS = (
    PlantedPair("Night Firm Serum", "Gua Sha Stone", 0.42),
    PlantedPair("Rose Ritual Serum", "Jade Roller", 0.38),
    PlantedPair("Clear Start Clay Mask", "Silicone Mask Brush", 0.45),
    PlantedPair("Oat Calm Gel Cleanser", "Konjac Sponge", 0.36),
    PlantedPair("Dew Drop Toner", "Reusable Cotton Rounds", 0.40),
    PlantedPair("Morning Bright Serum", "Morning Bright Day Cream", 0.34),
    PlantedPair("Sea Mineral Gel Cleanser", "Travel Pouch", 0.32),
    PlantedPair("Green Tea Clay Mask", "Bamboo Headband", 0.35),
    PlantedPair("Dew Drop Serum", "Dew Drop Night Balm", 0.32),
    PlantedPair("Clear Start Gel Cleanser", "Clear Start Toner", 0.37),
    # Sets of three: who took two of them may still be offered the third, after the purchase too.
    PlantedPair("Night Firm Serum", "Night Firm Day Cream", 0.33),
    PlantedPair("Rose Ritual Serum", "Rose Ritual Day Cream", 0.35),
    PlantedPair("Dew Drop Toner", "Dew Drop Clay Mask", 0.30),
    PlantedPair("Morning Bright Serum", "Morning Bright Toner", 0.31),
)

SEQUENCES = (
    PlantedSequence("Oat Calm Gel Cleanser", "Oat Calm Toner", 0.40, 28),
    PlantedSequence("Clear Start Gel Cleanser", "Clear Start Day Cream", 0.35, 45),
    PlantedSequence("Morning Bright Serum", "Morning Bright Night Balm", 0.35, 60),
    PlantedSequence("Rose Ritual Serum", "Rose Ritual Night Balm", 0.40, 45),
    PlantedSequence("Green Tea Clay Mask", "Green Tea Serum", 0.35, 30),
    PlantedSequence("Sea Mineral Gel Cleanser", "Sea Mineral Day Cream", 0.45, 60),
)

# Nobody who owns one ever takes the other: not in one basket, not later.
NEVER_EXPANDING = (
    ("Night Firm Serum", "Clear Start Serum"),
    ("Night Firm Night Balm", "Oat Calm Night Balm"),
    ("Jade Roller", "Gua Sha Stone"),
    ("LED Mask", "Cleansing Brush"),
)

# Goes into every basket at this rate whatever else is in it: frequent beside everything, and meaning nothing.
BESTSELLER = "Dew Drop Day Cream"
BESTSELLER_RATE = 0.22

# Comes back more often than the rest.
REFUND_PRONE = "LED Mask"
REFUND_PRONE_RATE = 0.30
REFUND_RATE = 0.03
CANCEL_RATE = 0.01
LATE_RATE = 0.02
GUEST_RATE = 0.25

# The last day of the discontinued product, as days before the end of the history.
DISCONTINUED_DAYS = 90


def truth_of(products: tuple[Product, ...]) -> dict[str, object]:
    """Say what is planted, with product ids, in the shape that checks read.

    Units: `p` are rates 0 to 1, `peak` is days.
    """
    id_of = {product.title: product.product_id for product in products}
    return {
        "pairs": [{"a": id_of[pair.anchor], "b": id_of[pair.companion], "p": pair.rate} for pair in PAIRS],
        "sequences": [
            {"a": id_of[row.first], "b": id_of[row.then], "p": row.rate, "peak": row.peak_days} for row in SEQUENCES
        ],
        "never_expanding": [{"a": id_of[first], "b": id_of[second]} for first, second in NEVER_EXPANDING],
        "popularity": [{"product": id_of[BESTSELLER], "p": BESTSELLER_RATE}],
        "refund_prone": [{"product": id_of[REFUND_PRONE], "p": REFUND_PRONE_RATE}],
        "discontinued": [id_of[DISCONTINUED]],
        "unlisted": [id_of[UNLISTED]],
        "out_of_stock": [id_of[OUT_OF_STOCK]],
        "durables": [product.product_id for product in products if product.is_durable],
    }
