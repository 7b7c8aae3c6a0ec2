"""How a line is divided over the touches that led to it: every model against worked examples and its own rules."""

from datetime import timedelta
from fractions import Fraction
from itertools import combinations, pairwise, product

import pytest
from builders_database import NOW
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.attribution.models.chain import Journey, count_chain
from shopify_upsell.attribution.models.games import set_game_values, shapley_values
from shopify_upsell.attribution.models.learned import fit_channels, learned
from shopify_upsell.attribution.models.markov import conversion_probability, global_shares, removal_effects
from shopify_upsell.attribution.models.path import NO_FIT, SCALE, ChannelFit, Path, PathTouch
from shopify_upsell.attribution.models.registry import CREDIT_MODELS, DISPLAY_MODEL, weigh_path
from shopify_upsell.attribution.models.shapley import channel_values
from shopify_upsell.money import apportion

THREE_PATHS = [Journey(("c1", "c2", "c3"), 1, 0), Journey(("c1",), 0, 1), Journey(("c2", "c3"), 0, 1)]
"""Three journeys, one of which converts. Source: worked example of Anderl et al., as printed in many places."""

NINE_PATHS = ("A", "A B", "A B C", "B", "B A", "B C A", "C", "C A", "C B A")
"""Every one converts. Source: worked example for Shapley values of journeys."""


def a_path(*touches, ended=0.0):
    """Touches as (channel, hours before the line)."""
    met = [PathTouch(channel, "click", NOW - timedelta(hours=hours)) for channel, hours in touches]
    return Path(tuple(sorted(met, key=lambda touch: touch.occurred_at)), NOW - timedelta(hours=ended))


def weights(model, path, fit=NO_FIT):
    return list(weigh_path(model, path, fit).weights)


def test_the_first_and_the_last_touch_may_take_all():
    path = a_path(("theme", 5), ("email", 3), ("cart", 1))

    assert weights("first", path) == [SCALE, 0, 0]
    assert weights("last", path) == [0, 0, SCALE]


@pytest.mark.parametrize(
    ("count", "position", "linear"),
    [
        (1, [10**9], [10**9]),
        (2, [500_000_000, 500_000_000], [500_000_000, 500_000_000]),
        (3, [400_000_000, 200_000_000, 400_000_000], [333_333_333] * 3),
        (5, [400_000_000, 66_666_667, 66_666_667, 66_666_667, 400_000_000], [200_000_000] * 5),
    ],
)
def test_position_gives_two_fifths_to_both_ends_and_linear_the_same_to_all(count, position, linear):
    path = a_path(*(("theme", hours) for hours in range(count, 0, -1)))

    assert weights("position", path) == position
    assert weights("linear", path) == linear


def test_time_decay_halves_every_seven_days_and_within_one_visit_every_thirty_minutes():
    over_weeks = a_path(("email", 14 * 24), ("email", 7 * 24), ("theme", 0))
    one_visit = a_path(("theme", 1), ("cart", 0.5), ("checkout", 0))

    assert weights("time_decay", over_weeks) == [142_857_143, 285_714_286, 571_428_571]
    assert weights("time_decay", one_visit) == [142_857_143, 285_714_286, 571_428_571]


def test_a_visit_of_weeks_ago_still_has_weights():
    assert weights("time_decay", a_path(("theme", 29 * 24 + 1), ("theme", 29 * 24))) == [200_000_000, 800_000_000]


def test_the_three_paths_convert_one_time_in_three_and_lose_half_or_all_without_a_channel():
    assert conversion_probability(THREE_PATHS) == pytest.approx(1 / 3, abs=1e-12)
    assert removal_effects(THREE_PATHS) == pytest.approx({"c1": 0.5, "c2": 1.0, "c3": 1.0}, abs=1e-12)
    assert global_shares(removal_effects(THREE_PATHS)) == pytest.approx({"c1": 0.2, "c2": 0.4, "c3": 0.4}, abs=1e-12)


def test_channels_that_return_to_each_other_are_solved_not_simulated():
    """A and B pass shoppers to and fro: p_A = (1 + p_B)/3, p_B = p_A/2 by hand."""
    journeys = [Journey(("A",), 1, 0), Journey(("A", "B"), 0, 1), Journey(("A", "B", "A"), 0, 1)]

    chain = count_chain(journeys)

    # Leaving A four times: once to conversion, twice to B, once to nothing; leaving B twice: once to A.
    assert chain.conversion() == pytest.approx((1 / 4) / (1 - 1 / 2 * 1 / 2), abs=1e-12)


def test_touches_of_one_channel_in_a_row_change_no_removal_effect():
    repeated = [
        Journey(("c1", "c1", "c2", "c3", "c3", "c3"), 1, 0), Journey(("c1", "c1"), 0, 1), Journey(("c2", "c3"), 0, 1),
    ]  # fmt: skip

    assert removal_effects(repeated) == pytest.approx(removal_effects(THREE_PATHS), abs=1e-12)


def test_journeys_that_never_convert_have_no_effect_and_no_journeys_are_refused():
    assert removal_effects([Journey(("A", "B"), 0, 5)]) == {"A": 0.0, "B": 0.0}
    assert channel_values([Journey(("A", "B"), 0, 5)]) == {"A": 0.0, "B": 0.0}
    for wrong in ([], [Journey(("A",), 0, 0)], [Journey(("A",), -1, 2)]):
        with pytest.raises(ValueError):
            removal_effects(wrong)


def test_the_glove_game_gives_the_right_glove_two_thirds():
    """Two left gloves and one right: a pair is worth 1."""

    def worth(coalition):
        return int("R" in coalition and len(coalition) > 1)

    values = shapley_values(["L1", "L2", "R"], worth)

    assert values == {"L1": Fraction(1, 6), "L2": Fraction(1, 6), "R": Fraction(2, 3)}


def test_the_airport_game_divides_a_runway_by_who_needs_how_much_of_it():
    costs = {"A": 8, "B": 11, "C": 13, "D": 18}

    values = shapley_values(list(costs), lambda coalition: max((costs[plane] for plane in coalition), default=0))

    assert values == {"A": 2, "B": 3, "C": 4, "D": 9}


def test_nine_paths_are_divided_as_their_sets_of_channels_are_worth():
    conversions: dict[frozenset, int] = {}
    for path in NINE_PATHS:
        members = frozenset(path.split())
        conversions[members] = conversions.get(members, 0) + 1

    by_count = set_game_values(conversions, dict.fromkeys(conversions, 1))
    by_rate = set_game_values(
        dict.fromkeys(conversions, 1), {members: 3 * count for members, count in conversions.items()}
    )

    assert by_count == {"A": 4, "B": 3, "C": 2}
    assert by_rate == {"A": Fraction(27, 2), "B": Fraction(15, 2), "C": 6}


def slow_conversion(journeys, kept):
    """The chain by hand in fractions: expected visits by repeated substitution of a system of equations."""
    channels = sorted({channel for journey in journeys for channel in journey.channels})
    index = {channel: place for place, channel in enumerate(channels)}
    moves: dict[tuple, int] = {}
    for journey in journeys:
        made = journey.converted + journey.lost
        steps = ["start", *journey.channels]
        for before, after in pairwise(steps):
            moves[before, after] = moves.get((before, after), 0) + made
        moves[steps[-1], "yes"] = moves.get((steps[-1], "yes"), 0) + journey.converted
        moves[steps[-1], "no"] = moves.get((steps[-1], "no"), 0) + journey.lost
    total = {state: sum(n for (a, _), n in moves.items() if a == state) for state in ["start", *channels]}

    def share(a, b):
        return Fraction(moves.get((a, b), 0), total[a])

    size = len(channels)
    rows = [
        [Fraction(int(i == j)) - (share(a, b) if b in kept else 0) for j, b in enumerate(channels)] + [share(a, "yes")]
        for i, a in enumerate(channels)
    ]
    for pivot in range(size):  # Gauss and Jordan, exactly
        best = next(row for row in range(pivot, size) if rows[row][pivot])
        rows[pivot], rows[best] = rows[best], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for row in range(size):
            if row != pivot and rows[row][pivot]:
                rows[row] = [a - rows[row][pivot] * b for a, b in zip(rows[row], rows[pivot], strict=True)]
    reached = sum(share("start", channel) * rows[index[channel]][-1] for channel in channels if channel in kept)
    return reached + share("start", "yes")


journeys_drawn = st.lists(
    st.builds(
        Journey,
        st.lists(st.sampled_from("ABCD"), max_size=5).map(tuple),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=8,
).filter(lambda journeys: sum(one.converted + one.lost for one in journeys) > 0)


@given(journeys_drawn)
def test_removal_effects_and_shapley_values_equal_exact_fractions(journeys):
    # Journeys that nobody made leave channels without any way out; the slow form divides by what leaves them.
    journeys = [journey for journey in journeys if journey.converted + journey.lost]
    channels = sorted({channel for journey in journeys for channel in journey.channels})
    worth = {
        frozenset(kept): slow_conversion(journeys, set(kept))
        for size in range(len(channels) + 1)
        for kept in combinations(channels, size)
    }
    whole = worth[frozenset(channels)]

    values = channel_values(journeys)

    assert values == pytest.approx(
        {name: float(value) for name, value in shapley_values(channels, worth.__getitem__).items()}, abs=1e-9
    )
    assert sum(values.values()) == pytest.approx(float(whole - worth[frozenset()]), abs=1e-9)
    if whole:
        slow = {name: 1 - float(worth[frozenset(channels) - {name}] / whole) for name in channels}
        assert removal_effects(journeys) == pytest.approx(slow, abs=1e-9)


def test_twelve_channels_are_divided_and_thirteen_are_refused():
    journeys = [Journey(tuple(f"c{number:02d}" for number in range(first, first + 3)), 2, 5) for first in range(10)]

    values = channel_values(journeys)

    assert len(values) == 12
    assert sum(values.values()) == pytest.approx(conversion_probability(journeys), abs=1e-9)
    with pytest.raises(ValueError, match="12 channels"):
        channel_values([*journeys, Journey(("c12",), 1, 1)])


def plenty(channels=("theme", "email")):
    return [
        Journey((channels[0],), 400, 900), Journey((channels[1],), 40, 2000), Journey(channels, 160, 100),
    ]  # fmt: skip


def test_with_enough_journeys_a_channel_s_own_weight_stands_alone_and_its_touches_share_it():
    fit = fit_channels("markov", plenty(), version=3)
    path = a_path(("theme", 3), ("email", 2), ("theme", 1))

    both = fit.strength["theme"] + fit.strength["email"]
    theme = fit.strength["theme"] / both

    assert fit.is_enough
    assert fit.converting == {"theme": 560, "email": 200}
    assert learned(path, fit) == [round(theme / 2 * SCALE), round((1 - theme) * SCALE), round(theme / 2 * SCALE)]
    assert weigh_path("markov", path, fit).model_version == "markov/1.3"


def test_with_few_journeys_weights_lean_towards_linear_by_how_much_each_channel_has_seen():
    fit = ChannelFit(
        version=1, strength={"theme": 0.9, "email": 0.1}, converting={"theme": 100, "email": 20}, is_enough=False
    )

    theme = (100 * 0.9 + 300 * 0.5) / 400
    email = (20 * 0.1 + 300 * 0.5) / 320

    assert learned(a_path(("theme", 2), ("email", 1)), fit) == [
        round(theme / (theme + email) * SCALE),
        round(email / (theme + email) * SCALE),
    ]


def test_among_enough_journeys_only_a_channel_seen_fewer_than_thirty_times_leans_towards_linear():
    fit = ChannelFit(
        version=1, strength={"theme": 0.8, "email": 0.2}, converting={"theme": 30, "email": 29}, is_enough=True
    )

    email = (29 * 0.2 + 300 * 0.5) / 329

    assert learned(a_path(("theme", 2), ("email", 1)), fit)[0] == round(0.8 / (0.8 + email) * SCALE)


@pytest.mark.parametrize("model", ["markov", "shapley"])
def test_a_shop_that_never_fitted_divides_evenly_and_says_so(model):
    path = a_path(("theme", 2), ("email", 1))

    assert weights(model, path) == weights("linear", path)
    assert weigh_path(model, path).model_version == f"{model}/1.0"


channels_drawn = st.lists(
    st.tuples(st.sampled_from(["theme", "cart", "email", "account"]), st.floats(0, 700)), min_size=1, max_size=9
)


@pytest.mark.parametrize("model", CREDIT_MODELS)
@given(touches=channels_drawn, amount=st.integers(0, 10**7))
def test_every_model_divides_all_of_an_amount_and_gives_nobody_less_than_nothing(model, touches, amount):
    fit = fit_channels("markov", plenty(("theme", "email")), version=1)
    path = a_path(*touches)

    found = weigh_path(model, path, fit)
    parts = apportion(amount, found.weights)

    assert len(found.weights) == len(touches)
    assert abs(sum(found.weights) - SCALE) <= len(touches)
    assert min(found.weights) >= 0
    assert sum(parts) == amount
    assert min(parts) >= 0


@pytest.mark.parametrize("model", CREDIT_MODELS)
@given(touches=channels_drawn, amounts=st.lists(st.integers(0, 5000), min_size=2, max_size=2).map(sorted))
def test_no_refund_raises_what_any_touch_is_credited(model, touches, amounts):
    less, more = amounts
    found = weigh_path(model, a_path(*touches), fit_channels("shapley", plenty(), version=1)).weights

    assert all(small <= large for small, large in zip(apportion(less, found), apportion(more, found), strict=True))


@pytest.mark.parametrize("model", ["linear", "markov", "shapley"])
def test_models_that_know_no_order_give_a_channel_the_same_wherever_it_stands(model):
    fit = fit_channels("markov", plenty(), version=1)
    found = set()
    for first, second, third in product(["theme", "email"], repeat=3):
        if sorted([first, second, third]) == ["email", "theme", "theme"]:
            path = a_path((first, 3), (second, 2), (third, 1))
            shares = weights(model, path, fit)
            found.add(tuple(sorted((touch.channel, share) for touch, share in zip(path.touches, shares, strict=True))))

    assert len(found) == 1


def test_a_path_without_touches_and_a_model_that_is_none_are_refused():
    with pytest.raises(ValueError, match="without touches"):
        weigh_path("linear", Path((), NOW))
    with pytest.raises(KeyError):
        weigh_path("gut feeling", a_path(("theme", 1)))
    assert DISPLAY_MODEL == "linear"
