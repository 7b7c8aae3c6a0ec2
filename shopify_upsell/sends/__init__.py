"""Lifecycle sends: whom a merchant's mail tool may write to, about which pair, in which window after delivery."""
