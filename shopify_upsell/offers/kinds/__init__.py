"""Offer kinds, one module each; `registry.KINDS` lists them."""
