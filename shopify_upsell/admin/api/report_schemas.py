"""What reports answer. Every one has `freshness`; figures inside are as docs/reports.md tells them."""

from marshmallow import Schema, fields


class FreshnessJson(Schema):
    """How current an answer is. `lag_seconds`: null before the first delivery."""

    as_of = fields.String()
    newest_event_at = fields.String(allow_none=True)
    lag_seconds = fields.Integer(allow_none=True)
    waiting_events = fields.Integer()


class Stamped(Schema):
    """Any report."""

    freshness = fields.Nested(FreshnessJson)


class AssumptionJson(Schema):
    """Something that figures rest on and nobody measured. `figures`: which ones."""

    code = fields.String()
    badge = fields.String()
    sentence = fields.String()
    source = fields.String()
    figures = fields.List(fields.String())


class ProgrammeJson(Stamped):
    """One quarter. `arms`: null while nothing may be compared; `programme.verdict` says why."""

    programme = fields.Dict()
    arms = fields.Dict(allow_none=True)
    customers = fields.Dict()
    attach_rates = fields.List(fields.Dict())
    assumptions = fields.List(fields.Nested(AssumptionJson))


class ExperimentReportJson(Stamped):
    """One experiment."""

    experiment = fields.Dict()


class StatementsJson(Stamped):
    """Statements by month and currency. Units: minor units."""

    statements = fields.List(fields.Dict())


class BaselineReportJson(Stamped):
    """The shop's starting point."""

    baseline = fields.Dict()


class ModelTotalJson(Schema):
    """What one model credits to one channel. Units: minor units."""

    model = fields.String()
    model_version = fields.String()
    currency = fields.String()
    channel = fields.String()
    amount_minor_units = fields.Integer()


class CreditModelsJson(Stamped):
    """Every model; each one's total by currency is the same."""

    models = fields.List(fields.Nested(ModelTotalJson))


class RetentionJson(Stamped):
    """The shop's customers."""

    customers = fields.Dict()
    assumptions = fields.List(fields.Nested(AssumptionJson))


class AttachRatesJson(Stamped):
    """Pairs with both attach rates."""

    window_days = fields.Integer()
    last_full_day = fields.String()
    sample_share = fields.Float()
    pairs = fields.List(fields.Dict())


class TenureJson(Schema):
    """Of the customers watched for so long, who bought. Units: days; share 0 to 1 with a 95 % interval."""

    tenure_days = fields.Integer()
    customer_count = fields.Integer()
    bought_count = fields.Integer()
    share = fields.Float()
    low = fields.Float()
    high = fields.Float()


class CohortsJson(Stamped):
    """Shares by tenure."""

    anchor = fields.String()
    target = fields.String()
    tenures = fields.List(fields.Nested(TenureJson))
    missing = fields.Dict(allow_none=True)


class TimingJson(Stamped):
    """When a companion follows."""

    timing = fields.Dict()
    assumptions = fields.List(fields.Nested(AssumptionJson))
