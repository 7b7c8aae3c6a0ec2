"""Station 8: did it help: deterministic assignment; statistics join it."""
