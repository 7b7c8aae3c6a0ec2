"""What subcommands share: the joined parts of the app, and the shop a command is about."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from shopify_upsell.app import Parts, join
from shopify_upsell.core import NotFound
from shopify_upsell.database import bind_shop
from shopify_upsell.logs import set_up_logging
from shopify_upsell.settings import read_settings
from shopify_upsell.shops.store import Shop, find_shop


def joined_parts() -> Parts:
    """The app's parts from the environment. Raises: BadSetting."""
    settings = read_settings(os.environ)
    set_up_logging(settings.log_level)
    return join(settings)


def require_shop(session: Session, domain: str) -> Shop:
    """The shop of that domain, bound to the session. Raises: NotFound."""
    shop = find_shop(session, domain)
    if shop is None:
        raise NotFound(f"no shop {domain}: `shopify-upsell shops list` shows the known ones")
    bind_shop(session, shop.shop_id)
    return shop


@contextmanager
def reading(domain: str) -> Iterator[tuple[Parts, Session, Shop]]:
    """Open a reading session on one shop."""
    parts = joined_parts()
    with parts.database.read() as session:
        yield parts, session, require_shop(session, domain)
