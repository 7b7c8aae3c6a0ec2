"""The acceptance table for measurement: planted truths, the product's own estimators, and a gate for each row."""
