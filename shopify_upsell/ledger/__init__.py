"""Station 2: orders become facts: products, orders, lines, refunds, edits, and what each line is worth now."""
