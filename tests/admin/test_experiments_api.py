"""The merchant API of experiments: six kinds, one factor each, told what they could find before anybody is assigned."""

import pytest
from builders_merchant import AN_OFFER, Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_surfaces import TWO
from sqlalchemy import func, select, update

from shopify_upsell.database import Base
from shopify_upsell.experiments.kinds import KINDS
from shopify_upsell.offers.experiment_store import ExperimentRow, running_experiments
from shopify_upsell.offers.store import OfferRow

CHANGES = {
    "placement": {"placements": ["theme/product_page", "theme/cart"]},
    "discount": {"incentive": {"kind": "percentage", "basis_points": 1_000}},
    "creative": {"benefits": ["Keeps feet dry"]},
    "personalisation": {"companions": None},
    "bundle_composition": {"companions": ["gid://shopify/Product/3"]},
    "time_window": {"window_days": [5, 75]},
}


@pytest.fixture
def api(database):
    return a_merchant_api(database)


@pytest.fixture
def merchant(api):
    return Merchant(api)


@pytest.fixture
def stranger(api):
    return Merchant(api, TWO)


@pytest.fixture
def offer_id(merchant, database):
    """A live offer of the merchant's."""
    made = merchant("POST", "/offers", AN_OFFER).get_json()["offer_id"]
    with database.write() as session:
        session.execute(update(OfferRow).where(OfferRow.offer_id == made).values(state="live"))
    return made


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def a_plan(offer_id, kind="creative", **changes):
    arms = [{"name": "control"}, {"name": "treatment", "changes": CHANGES[kind]}]
    given = {"offer_id": offer_id, "kind": kind, "name": "Dry feet", "objective": "Earn more",
             "hypothesis": "Saying why helps", "arms": arms}  # fmt: skip
    return given | changes


def created(merchant, offer_id, kind="creative", **changes):
    answer = merchant("POST", "/experiments", a_plan(offer_id, kind, **changes))
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def test_each_of_the_six_kinds_is_written_as_a_draft_with_what_it_could_find(merchant, offer_id):
    for kind in KINDS:
        is_written_with_its_outlook(merchant, offer_id, kind)


def is_written_with_its_outlook(merchant, offer_id, kind):
    made = created(merchant, offer_id, kind)
    experiment, ahead = made["experiment"], made["outlook"]

    assert (experiment["kind"], experiment["state"], experiment["started_at"]) == (kind, "draft", None)
    assert {arm["name"]: arm["basis_points"] for arm in experiment["arms"]} == {"control": 5_000, "treatment": 5_000}
    treated = next(arm for arm in experiment["arms"] if arm["name"] == "treatment")
    assert {name: treated["changes"][name] for name in CHANGES[kind] if name != "incentive"} == {
        name: value for name, value in CHANGES[kind].items() if name != "incentive"
    }
    assert 0.09 < ahead["smallest_lift"] < 0.101
    assert ahead["planned_units"] == experiment["planned_units"]
    assert (ahead["is_assumed"], ahead["days"]) == (True, None)
    assert ahead["words"].startswith(f"With {ahead['planned_units']} units")
    assert merchant.get(f"/experiments/{experiment['experiment_id']}") == made


def test_a_discount_is_decided_by_margin_and_a_window_watched_for_as_long_as_it_lasts(merchant, offer_id):
    discount = created(merchant, offer_id, "discount")["experiment"]
    window = created(merchant, offer_id, "time_window")["experiment"]

    assert discount["primary_metric"] == "contribution_margin_per_unit"
    assert discount["arms"][1]["changes"]["incentive"]["basis_points"] == 1_000
    assert [rail["metric"] for rail in discount["guardrails"]] == ["order_value_without_offer", "refund_rate"]
    assert window["horizon_days"] == 75


def test_shares_units_and_group_are_the_merchants_and_the_groups_salt_is_told_nobody(merchant, offer_id, database):
    arms = [{"name": "control", "basis_points": 8_000},
            {"name": "treatment", "basis_points": 2_000, "changes": CHANGES["creative"]}]  # fmt: skip
    group = {"name": "words", "from_basis_points": 0, "to_basis_points": 5_000}

    made = created(merchant, offer_id, arms=arms, units=20_000, group=group, traffic_basis_points=6_000)["experiment"]

    assert [arm["basis_points"] for arm in made["arms"]] == [8_000, 2_000]
    assert (made["planned_units"], made["group"], made["traffic_basis_points"]) == (20_000, group, 6_000)
    with database.read() as session:
        row = session.scalars(select(ExperimentRow)).one()
    assert row.salt not in str(made)


def test_traffic_is_widened_by_its_merchant_alone_and_never_made_less(merchant, stranger, offer_id, database):
    number = created(merchant, offer_id, traffic_basis_points=2_000)["experiment"]["experiment_id"]
    merchant("POST", f"/experiments/{number}/start")
    route, before = f"/experiments/{number}/traffic", counts(database)

    assert refusal_of(merchant("POST", route, {"traffic_basis_points": 1_000}))[0] == 409
    assert refusal_of(merchant("POST", route, {"traffic_basis_points": 10_001}))[0] == 422
    assert refusal_of(stranger("POST", route, {"traffic_basis_points": 9_000}))[0] == 404
    assert counts(database) == before
    answer = merchant("POST", route, {"traffic_basis_points": 9_000})
    assert (answer.status_code, answer.get_json()["traffic_basis_points"]) == (200, 9_000)
    with database.read() as session:
        assert [one.traffic_basis_points for one in session.scalars(select(ExperimentRow))] == [9_000]


def swapped(place, **arm):
    arms = [{"name": "control"}, {"name": "treatment", "changes": CHANGES["creative"]}]
    arms[place] |= arm
    return {"arms": arms}


REFUSED = [
    (swapped(1, changes={"placements": ["theme/cart"]}), "arms[1].changes.placements: a creative experiment"),
    (
        swapped(1, changes=CHANGES["creative"] | CHANGES["discount"]),
        "arms[1].changes.incentive: a creative experiment changes benefits alone",
    ),
    (swapped(0, changes=CHANGES["creative"]), "arms[0].changes: control is the offer as written"),
    (swapped(1, changes={}), "arms[1].changes: a creative experiment changes one of: benefits"),
    (swapped(1, changes={"colour": "red"}), "arms[1].changes.colour: Unknown field."),
    (swapped(1, name="control"), "arms: have a name each"),
    (swapped(0, basis_points=4_000), "arms: name every share or none"),
    (swapped(0, basis_points="4000"), "arms[0].basis_points: Not a valid integer."),
    ({"arms": [{"name": "control"}]}, "arms: "),
    ({"kind": "colour"}, "kind: "),
    ({"objective": " "}, "objective: is required"),
    ({"hypothesis": ""}, "hypothesis: "),
    ({"units": 399}, "units: are 400 at least"),
    ({"horizon_days": 0}, "horizon_days: "),
    ({"longest_days": 6}, "longest_days: "),
    ({"lift": 0}, "lift: "),
    ({"offer_id": 2**63}, "offer_id: "),
    ({"traffic_basis_points": 10_001}, "traffic_basis_points: "),
    ({"group": {"name": "g", "from_basis_points": 9, "to_basis_points": 9}}, "group.to_basis_points: "),
    ({"who": "me"}, "who: Unknown field."),
]


def test_a_plan_that_cannot_be_is_refused_by_field_and_nothing_is_written(merchant, offer_id, database):
    before = counts(database)

    for bend, named in REFUSED:
        status, code, message = refusal_of(merchant("POST", "/experiments", a_plan(offer_id) | bend))
        assert (status, code, message[: len(named)]) == (422, "invalid_input", named)

    assert counts(database) == before


IMPOSSIBLE = [
    ("creative", {"benefits": ["Only 3 left, hurry!"]}, "arms[1].changes.benefits: "),
    (
        "discount",
        {"incentive": {"kind": "percentage", "basis_points": 9_500}},
        "arms[1].changes.incentive.basis_points: ",
    ),
    ("discount", {"incentive": {"kind": "gift", "gift_variant_id": 11}}, "incentive.kind: "),
    ("time_window", {"window_days": [9, 3]}, "arms[1].changes.window_days: "),
    ("time_window", {"lasts_hours": 0}, "arms[1].changes.lasts_hours: "),
]


def test_an_arm_that_no_offer_could_be_is_refused_by_field_and_nothing_is_written(merchant, offer_id, database):
    before = counts(database)

    for kind, changes, named in IMPOSSIBLE:
        arms = [{"name": "control"}, {"name": "treatment", "changes": changes}]
        status, _, message = refusal_of(merchant("POST", "/experiments", a_plan(offer_id, kind, arms=arms)))
        assert (status, message[: len(named)]) == (422, named)

    assert counts(database) == before


def test_a_time_window_cannot_be_judged_before_sixty_days(merchant, offer_id):
    refused = merchant("POST", "/experiments", a_plan(offer_id, "time_window", horizon_days=59))

    assert refusal_of(refused)[2] == "horizon_days: are 60 at least for this kind"


def test_an_experiment_starts_once_and_stops_once_and_the_log_says_who(merchant, offer_id, database):
    number = created(merchant, offer_id)["experiment"]["experiment_id"]

    started = merchant("POST", f"/experiments/{number}/start")
    with database.read() as session:
        running = [one.experiment_id for one in running_experiments(session, shop_id_of(database))]
    before = counts(database)
    again = refusal_of(merchant("POST", f"/experiments/{number}/start"))
    assert counts(database) == before
    stopped = merchant("POST", f"/experiments/{number}/stop", {"reason": "season is over"})
    twice = refusal_of(merchant("POST", f"/experiments/{number}/stop"))

    assert (started.status_code, started.get_json()["state"], running) == (200, "running", [number])
    assert again == (409, "conflict", "an experiment starts once")
    assert (stopped.get_json()["state"], stopped.get_json()["reason"]) == ("stopped", "season is over")
    assert twice[0] == 409
    changes = merchant.get("/changes", what="experiment", subject=str(number))["changes"]
    states = [(one["before"] and one["before"]["state"], one["after"]["state"]) for one in changes]
    assert states == [("running", "stopped"), ("draft", "running"), (None, "draft")]
    assert {one["user_id"] for one in changes} == {7001}


def test_an_experiment_stops_without_a_reason_given(merchant, offer_id):
    number = created(merchant, offer_id)["experiment"]["experiment_id"]
    merchant("POST", f"/experiments/{number}/start")

    assert merchant("POST", f"/experiments/{number}/stop").get_json()["reason"] == "stopped by a person"


def test_experiments_that_would_disturb_each_other_or_have_no_live_offer_do_not_start(merchant, offer_id, database):
    first, second = (created(merchant, offer_id)["experiment"]["experiment_id"] for _ in range(2))
    merchant("POST", f"/experiments/{first}/start")

    disturbed = refusal_of(merchant("POST", f"/experiments/{second}/start"))
    merchant("POST", f"/experiments/{first}/stop")
    merchant("POST", f"/offers/{offer_id}/pause")
    paused = refusal_of(merchant("POST", f"/experiments/{second}/start"))

    assert disturbed[0] == 409
    assert "put both in a group" in disturbed[2]
    assert paused == (409, "conflict", "the offer is not live")
    listed = merchant.get("/experiments", state="draft")["experiments"]
    assert [one["experiment_id"] for one in listed] == [second]
    assert [one["experiment_id"] for one in merchant.get("/experiments")["experiments"]] == [first, second]


def test_a_verdict_says_what_is_missing_before_it_says_anything_else(merchant, offer_id):
    number = created(merchant, offer_id)["experiment"]["experiment_id"]
    merchant("POST", f"/experiments/{number}/start")

    told = merchant.get(f"/experiments/{number}/verdict")

    treated = next(arm for arm in told["arms"] if arm["name"] == "treatment")
    assert (told["state"], told["recommended_arm"], told["missing"]["code"]) == ("running", None, "too_few_days")
    assert (treated["verdict"], treated["effect"], treated["units"]) == ("not_enough_data", None, 0)
    assert "The test has not run for seven full days." in treated["next_look"]
    assert told["freshness"]["as_of"]


def test_another_shops_experiment_and_offer_are_not_there(merchant, stranger, offer_id, database):
    number = created(merchant, offer_id)["experiment"]["experiment_id"]
    before = counts(database)
    asked = [("GET", ""), ("POST", "/start"), ("POST", "/stop"), ("GET", "/verdict")]

    answers = [stranger(method, f"/experiments/{number}{path}").status_code for method, path in asked]
    answers += [merchant(method, f"/experiments/{2**70}{path}").status_code for method, path in asked]
    foreign = refusal_of(stranger("POST", "/experiments", a_plan(offer_id)))

    assert answers == [404] * 8
    assert foreign == (404, "not_found", "no such offer")
    assert stranger.get("/experiments") == {"experiments": []}
    assert counts(database) == before
