"""The merchant API: what the embedded admin, and nobody else, may read and change of its own shop."""
