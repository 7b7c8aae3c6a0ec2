"""Product pictures, drawn as SVG from the product's type and colour: nothing is fetched from anywhere."""

from html import escape

from shopify_upsell.devstore.catalogue import Product

_JAR = (
    '<rect x="170" y="270" width="260" height="190" rx="26" fill="{c}"/>'
    '<rect x="160" y="215" width="280" height="66" rx="14" fill="#fff"/>'
    '<rect x="205" y="325" width="190" height="80" rx="6" fill="#fff" opacity=".82"/>'
)
_BOTTLE = (
    '<rect x="210" y="205" width="180" height="275" rx="30" fill="{c}"/>'
    '<rect x="262" y="150" width="76" height="64" rx="8" fill="#fff"/>'
    '<rect x="242" y="110" width="116" height="46" rx="12" fill="#fff"/>'
    '<rect x="234" y="275" width="132" height="130" rx="6" fill="#fff" opacity=".82"/>'
)
_DROPPER = (
    '<rect x="225" y="235" width="150" height="245" rx="24" fill="{c}"/>'
    '<rect x="256" y="190" width="88" height="52" rx="6" fill="#fff"/>'
    '<path d="M272 190v-56a28 28 0 0 1 56 0v56z" fill="#fff"/>'
    '<rect x="246" y="300" width="108" height="120" rx="6" fill="#fff" opacity=".82"/>'
)
_TUBE = (
    '<path d="M205 130h190l-22 290H227z" fill="{c}"/>'
    '<rect x="236" y="420" width="128" height="62" rx="12" fill="#fff"/>'
    '<rect x="240" y="210" width="120" height="120" rx="6" fill="#fff" opacity=".82"/>'
)
_STONE = (
    '<path d="M170 330c0-110 70-180 160-180s110 60 96 120-60 50-64 104-36 96-96 96-96-60-96-140z" fill="{c}"/>'
    '<path d="M215 315c6-64 50-110 106-116" stroke="#fff" stroke-width="14" fill="none" stroke-linecap="round"/>'
)
_CLOTH = (
    '<rect x="160" y="200" width="280" height="230" rx="40" fill="{c}"/>'
    '<path d="M160 300h280M300 200v230" stroke="#fff" stroke-width="10" opacity=".7"/>'
)
_SHAPES = {
    "Cleanser": _TUBE,
    "Toner": _BOTTLE,
    "Serum": _DROPPER,
    "Moisturiser": _JAR,
    "Mask": _JAR,
    "Accessory": _CLOTH,
}


def draw(product: Product) -> str:
    """Draw a product, 600 by 600."""
    shape = _SHAPES.get(product.product_type, _STONE).format(c=product.colour)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 600" width="600" height="600" role="img">'
        f"<title>{escape(product.title)}</title>"
        '<rect width="600" height="600" fill="#f4efe8"/>'
        f'<circle cx="300" cy="300" r="215" fill="{product.colour}" opacity=".22"/>'
        f'<ellipse cx="300" cy="488" rx="140" ry="14" fill="#000" opacity=".08"/>{shape}</svg>'
    )
