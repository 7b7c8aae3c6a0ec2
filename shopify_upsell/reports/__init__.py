"""Station 9: answers for the merchant: the statement that reconciles claims with the ledger."""
