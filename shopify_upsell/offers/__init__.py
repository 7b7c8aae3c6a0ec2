"""Station 5: evidence becomes an offer: propose, eligible, ready, rank, choose, explain."""
