"""Prometheus metrics that several stations count. No label ever names a shop or a person."""

from prometheus_client import Counter, Histogram

WEBHOOKS = Counter("wellpaired_webhooks_total", "Webhook deliveries by outcome.", ["outcome"])
JOB_OUTCOMES = Counter("wellpaired_jobs_total", "Job outcomes.", ["kind", "outcome"])
DECISIONS = Counter("wellpaired_decisions_total", "Decisions by placement and outcome.", ["placement", "outcome"])
TOUCHPOINTS = Counter("wellpaired_touchpoints_total", "Touchpoints by kind.", ["kind"])
DECISION_SECONDS = Histogram(
    "wellpaired_decision_seconds",
    "Time to decide and store.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
