"""Durable background work: rows with lease and fencing are the truth, Huey is the wake-up."""
