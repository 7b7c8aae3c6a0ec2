"""Station 7: purchases find their cause: touchpoints, signed tokens, credits."""
