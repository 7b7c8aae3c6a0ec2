"""The embedded admin: the page a merchant opens in Shopify."""
