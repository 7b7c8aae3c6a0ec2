"""A simulated Shopify for development, the demo and tests.

Speaks to the app over HTTP only; never starts in production.
"""
