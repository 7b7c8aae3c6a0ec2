"""Tenants: install, tokens at rest, uninstall, erase.

Comes in: app lifecycle webhooks and admin visits. Goes out: a shop to act for.
"""
