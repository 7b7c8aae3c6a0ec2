"""Station 1: webhooks come in, are verified as raw bytes, stored once, answered 200, and dispatched by a worker."""
