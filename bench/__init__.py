"""Benches that the figures in the docs come from. Ratios against a named peer in the same run."""
