"""Station 4: facts become evidence of what goes with what, what comes next, and when.

From a notebook, without Flask or a database: `from shopify_upsell.matrix import OrderLines, learn`, then
`matrix = learn(OrderLines(...), now=...)` and `matrix.complete([[product_id]])`. docs/matrix.md describes the whole.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopify_upsell.matrix.choosing import MerchantWord
    from shopify_upsell.matrix.curves import TimingCurve
    from shopify_upsell.matrix.evidence import Companion, Evidence, PairCount
    from shopify_upsell.matrix.files import load, save
    from shopify_upsell.matrix.ladders import Rung
    from shopify_upsell.matrix.learning import learn
    from shopify_upsell.matrix.lines import OrderLines
    from shopify_upsell.matrix.model import Matrix, PairExplanation
    from shopify_upsell.matrix.negative import NegativeEdge
    from shopify_upsell.matrix.products import Products

__all__ = [
    "Companion",
    "Evidence",
    "Matrix",
    "MerchantWord",
    "NegativeEdge",
    "OrderLines",
    "PairCount",
    "PairExplanation",
    "Products",
    "Rung",
    "TimingCurve",
    "learn",
    "load",
    "save",
]

_HOME = {
    "Companion": "evidence",
    "Evidence": "evidence",
    "Matrix": "model",
    "MerchantWord": "choosing",
    "NegativeEdge": "negative",
    "OrderLines": "lines",
    "PairCount": "evidence",
    "PairExplanation": "model",
    "Products": "products",
    "Rung": "ladders",
    "TimingCurve": "curves",
    "learn": "learning",
    "load": "files",
    "save": "files",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name when it is first asked for.

    The web process reads stored rows only; without this, importing `matrix.store` would load scipy into it.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
