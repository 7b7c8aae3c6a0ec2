"""The shopify-upsell command."""
