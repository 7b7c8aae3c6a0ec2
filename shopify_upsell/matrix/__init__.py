"""Station 4: facts become evidence: which product goes with which."""
