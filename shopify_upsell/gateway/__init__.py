"""Everything that speaks Shopify: proofs of callers, token exchange, the Admin API over requests."""
