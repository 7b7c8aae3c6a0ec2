"""The courtesy budget: no cap is exceeded in any stretch of its length, and what is freed is freed on time."""

from datetime import timedelta

import pytest
from builders_database import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput, OfferId
from shopify_upsell.customers.courtesy import (
    CAP_CODES,
    DEFAULT_CAPS,
    LARGEST_CAP,
    NOTHING_SHOWN,
    Caps,
    CourtesyState,
    cap_hit,
    check_caps,
    divided_caps,
    merged_state,
    read_caps,
    read_state,
    room,
    spend,
    write_caps,
    write_state,
)

ONE, TWO = OfferId(1), OfferId(2)
DAY, MONTH, GAP = timedelta(hours=24), timedelta(days=30), timedelta(minutes=30)
LOOSE = Caps(session=600, day=600, month=600, offer_day=600, offer_month=600)


def shown(*moments, offer=ONE, state=NOTHING_SHOWN):
    for moment in moments:
        state = spend(state, [offer], now=moment)
    return state


def minutes(*numbers):
    return [NOW + timedelta(minutes=number) for number in numbers]


def test_somebody_new_has_the_whole_budget_and_no_cap_is_hit():
    assert room(NOTHING_SHOWN, DEFAULT_CAPS, now=NOW) == 12
    assert cap_hit(NOTHING_SHOWN, DEFAULT_CAPS, ONE, now=NOW) is None


def test_a_session_cap_frees_after_thirty_minutes_without_a_card_and_not_a_second_sooner():
    caps = Caps(session=2)
    state = shown(*minutes(0, 10))

    hit = cap_hit(state, caps, ONE, now=NOW + timedelta(minutes=20))

    assert (hit.code, hit.until) == ("cap_session", NOW + timedelta(minutes=40))
    assert room(state, caps, now=hit.until - timedelta(seconds=1)) == 0
    assert room(state, caps, now=hit.until) == 2


def test_a_card_inside_the_gap_prolongs_the_session():
    state = shown(*minutes(0, 29, 58))

    assert (state.session_count, state.session_started_at) == (3, int(NOW.timestamp()))
    assert shown(*minutes(0, 29, 59)).session_count == 1


def test_a_part_of_a_second_is_never_a_pause():
    late = NOW + timedelta(microseconds=900_000)
    state = shown(late)

    assert room(state, Caps(session=1), now=late + GAP - timedelta(microseconds=800_000)) == 0


@pytest.mark.parametrize(
    ("caps", "code", "window"),
    [
        (Caps(day=3, session=3), "cap_day", DAY),
        (Caps(month=3, day=3, session=3, offer_day=3, offer_month=3), "cap_month", MONTH),
        (Caps(offer_day=3), "cap_offer_day", DAY),
        (Caps(offer_day=3, offer_month=3), "cap_offer_month", MONTH),
    ],
)
def test_each_window_names_its_cap_and_frees_when_its_oldest_hour_has_left(caps, code, window):
    state = shown(*minutes(0, 61, 122))

    hit = cap_hit(state, caps, ONE, now=NOW + timedelta(hours=5))

    assert (hit.code, hit.until) == (code, NOW + timedelta(hours=1) + window)
    still = cap_hit(state, caps, ONE, now=hit.until - timedelta(seconds=1))
    assert still == hit
    assert cap_hit(state, caps, ONE, now=hit.until) is None


def test_the_cap_of_one_offer_says_nothing_about_another():
    state = shown(*minutes(0, 1, 2, 3))

    assert cap_hit(state, DEFAULT_CAPS, ONE, now=NOW + timedelta(minutes=4)).code == "cap_offer_day"
    assert cap_hit(state, DEFAULT_CAPS, TWO, now=NOW + timedelta(minutes=4)) is None


def test_of_several_caps_the_one_that_stays_longest_is_named():
    caps = Caps(session=1, day=1, month=1, offer_day=1, offer_month=1)

    assert cap_hit(shown(NOW), caps, ONE, now=NOW).code == "cap_month"


def test_a_cap_of_nothing_lets_nothing_through_and_names_the_far_end_of_its_window():
    caps = Caps(session=0, day=0, month=0, offer_day=0, offer_month=0)

    hit = cap_hit(NOTHING_SHOWN, caps, ONE, now=NOW)

    assert (hit.code, hit.until) == ("cap_month", NOW + MONTH)
    assert room(NOTHING_SHOWN, caps, now=NOW) == 0


def test_a_clock_that_went_back_forgets_no_card():
    state = shown(NOW)
    earlier = NOW - timedelta(days=40)

    assert room(state, Caps(session=1), now=earlier) == 0
    assert spend(state, [ONE], now=earlier).session_count == 2


gaps = st.integers(0, 60 * 30).map(lambda number: timedelta(minutes=number)) | st.integers(0, 120).map(
    lambda number: timedelta(seconds=number)
)
small_caps = st.tuples(
    st.integers(1, 4), st.integers(0, 4), st.integers(0, 8), st.integers(1, 3), st.integers(0, 4)
).map(
    lambda one: Caps(
        session=one[0],
        day=one[0] + one[1],
        month=one[0] + one[1] + one[2] + one[3] + one[4],
        offer_day=one[3],
        offer_month=one[3] + one[4],
    )
)


@settings(max_examples=300, deadline=None)
@given(small_caps, st.lists(st.tuples(gaps, st.integers(1, 3), st.integers(1, 3)), max_size=60))
def test_no_cap_is_exceeded_in_any_rolling_window_nor_in_any_session(caps, requests):
    state, now, cards = NOTHING_SHOWN, NOW, []
    for gap, first, count in requests:
        now += gap
        fitting = [o for o in range(first, first + count) if cap_hit(state, caps, OfferId(o), now=now) is None]
        chosen = fitting[: room(state, caps, now=now)]
        state = spend(state, [OfferId(offer) for offer in chosen], now=now)
        cards += [(now, offer) for offer in chosen]

    for end, _ in cards:
        for window, cap, offer_cap in ((DAY, caps.day, caps.offer_day), (MONTH, caps.month, caps.offer_month)):
            inside = [offer for moment, offer in cards if end - window < moment <= end]
            assert len(inside) <= cap
            assert all(inside.count(offer) <= offer_cap for offer in set(inside))
    assert all(len(run) <= caps.session for run in runs([moment for moment, _ in cards]))
    assert read_state(write_state(state), state.version) == state


def runs(moments):
    """Moments cut wherever half an hour passed without one."""
    found = []
    for moment in moments:
        if found and moment - found[-1][-1] < GAP:
            found[-1].append(moment)
        else:
            found.append([moment])
    return found


@settings(max_examples=200, deadline=None)
@given(small_caps, st.lists(st.tuples(gaps, st.booleans()), max_size=40))
def test_logging_in_and_out_never_widens_the_budget(caps, requests):
    """Each card is charged to the name known best; a request that knows both names sees all of them."""
    own = {"c": NOTHING_SHOWN, "v": NOTHING_SHOWN}
    now, cards = NOW, []
    for gap, is_logged_in in requests:
        now += gap
        names = ["c", "v"] if is_logged_in else ["v"]
        judged = merged_state([own[name] for name in names])
        if cap_hit(judged, caps, ONE, now=now) is None and room(judged, caps, now=now):
            own[names[0]] = spend(own[names[0]], [ONE], now=now)
            cards.append((now, is_logged_in))

    for place, (end, is_logged_in) in enumerate(cards):
        # Up to this card: what a guest is shown after it, be it at the same moment, is not the customer's to know.
        so_far = [moment for moment, _ in cards[: place + 1]]
        if is_logged_in:
            assert sum(end - DAY < moment for moment in so_far) <= caps.day
            assert sum(end - MONTH < moment for moment in so_far) <= caps.month


def test_sessions_of_two_names_without_the_gap_are_one_session():
    guest, customer = shown(*minutes(0, 10)), shown(*minutes(30, 50), offer=TWO)

    both = merged_state([customer, guest])

    assert (both.session_count, both.session_last_at) == (4, customer.session_last_at)
    assert both.version == customer.version
    assert merged_state([shown(*minutes(41)), guest]).session_count == 1


def test_merging_adds_up_what_two_names_were_shown_of_one_offer():
    both = merged_state([shown(NOW), shown(NOW, NOW), shown(NOW, offer=TWO)])

    hour = int(NOW.timestamp()) // 3600
    assert both.shown == ((hour, 1, 3), (hour, 2, 1))
    assert merged_state([]) == NOTHING_SHOWN


def test_a_state_holds_no_more_entries_than_the_month_has_cards():
    state, now = NOTHING_SHOWN, NOW
    for number in range(3000):
        now += timedelta(minutes=61)
        if cap_hit(state, DEFAULT_CAPS, OfferId(number), now=now) is None:
            state = spend(state, [OfferId(number)], now=now)

    assert len(state.shown) <= DEFAULT_CAPS.month
    assert len(write_state(state)) < 3000


@pytest.mark.parametrize(
    "caps",
    [
        Caps(session=-1),
        Caps(day=LARGEST_CAP + 1, month=LARGEST_CAP + 1),
        Caps(session=25),
        Caps(day=121),
        Caps(offer_day=13),
        Caps(offer_month=121),
        Caps(session=True),
        Caps(session=1.5),
        Caps(shop_day=-1),
        Caps(shop_day=True),
    ],
)
def test_caps_that_contradict_each_other_are_refused(caps):
    with pytest.raises(InvalidInput):
        check_caps(caps)


def test_caps_are_read_back_as_written_and_nothing_written_means_the_defaults():
    caps = Caps(session=1, day=2, month=3, offer_day=1, offer_month=2, shop_day=1000)

    assert read_caps(write_caps(caps)) == caps
    assert read_caps(None) == read_caps("") == DEFAULT_CAPS == check_caps(DEFAULT_CAPS)


@pytest.mark.parametrize("text", ["{", "[]", '{"session": "many"}', '{"unheard_of": 1}', '{"session": 1000}'])
def test_unreadable_caps_are_refused(text):
    with pytest.raises(InvalidInput):
        read_caps(text)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"session": [1], "shown": []}', '{"session": [0,0,0], "shown": [1]}']
)
def test_an_unreadable_state_is_refused(text):
    with pytest.raises(InvalidInput):
        read_state(text)


def test_divided_caps_are_rounded_up_and_stay_caps():
    assert divided_caps(DEFAULT_CAPS, 3) == Caps(session=4, day=8, month=40, offer_day=2, offer_month=4)
    assert divided_caps(Caps(session=1, day=1, month=1, offer_day=1, offer_month=1), 8).month == 1
    assert check_caps(divided_caps(DEFAULT_CAPS, 8))


def test_every_code_that_a_cap_can_give_is_in_the_list():
    caps = Caps(session=1, day=1, month=1, offer_day=1, offer_month=1)
    found = {cap_hit(shown(NOW), one, ONE, now=NOW + timedelta(minutes=1)).code for one in (
        caps, Caps(session=1), Caps(session=1, day=1), Caps(offer_day=1), Caps(offer_day=1, offer_month=1),
    )}  # fmt: skip

    assert found <= set(CAP_CODES)
    assert CourtesyState() == NOTHING_SHOWN
