"""Models that divide one credited line over the touches that led to it."""
