"""Many tabs and surfaces at once never get one card more than the caps allow, in threads and in processes."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest
from builders_courtesy import swap_state
from builders_database import NOW, add_shop

from shopify_upsell.core import OfferId
from shopify_upsell.customers.courtesy import Caps, cap_hit, room, spend
from shopify_upsell.customers.courtesy_store import read_states, take_from_shop
from shopify_upsell.database import Database, bind_shop, is_transient

CAPS = Caps(session=30, day=30, month=40, offer_day=5, offer_month=5)
CLIENTS, TRIES, MOST_ROUNDS = 16, 6, 400
CUSTOMER, VISITOR = "c:1", "v:one-browser"


def show_once(database, shop_id, subjects, wanted, caps=CAPS):
    """What a surface does: read, judge, and store only if nobody was first. Returns the offers that were shown."""
    for _ in range(MOST_ROUNDS):
        try:
            with database.read() as session:
                bind_shop(session, shop_id)
                courtesy = read_states(session, shop_id, subjects)
            fitting = [offer for offer in wanted if cap_hit(courtesy.merged, caps, offer, now=NOW) is None]
            chosen = fitting[: room(courtesy.merged, caps, now=NOW)]
            if not chosen:
                return []
            after = spend(courtesy.own, chosen, now=NOW)
            with database.write() as session:
                bind_shop(session, shop_id)
                if swap_state(session, shop_id, subjects[0], courtesy.own, after, now=NOW):
                    return chosen
        except Exception as error:
            if not is_transient(error):
                raise
    raise AssertionError("never had its turn")


def client(database, shop_id, subjects, number):
    """One tab: asks again and again for two offers, its own pair first."""
    shown = []
    for turn in range(TRIES):
        first = (number + turn) % 10
        shown += show_once(database, shop_id, subjects, [OfferId(1 + first), OfferId(1 + (first + 1) % 10)])
    return shown


def client_of_its_own_process(url, shop_id, number):
    """The same, with a pool of connections of its own."""
    database = Database(url, pool_size=4)
    try:
        return client(database, shop_id, [CUSTOMER], number)
    finally:
        database.dispose()


@pytest.fixture
def shop_id(database):
    with database.write() as session:
        add_shop(session, "noise.myshopify.com")
        return add_shop(session)


def kept(database, shop_id, *subjects):
    with database.read() as session:
        bind_shop(session, shop_id)
        return read_states(session, shop_id, subjects).merged


def assert_within_caps(answers, state):
    """What clients showed is what is kept, it fills the budget, and it exceeds no cap."""
    shown = Counter(offer for answer in answers for offer in answer)
    assert sum(shown.values()) == CAPS.day
    assert max(shown.values()) <= CAPS.offer_day
    assert shown == Counter({offer: cards for _, offer, cards in state.shown})


def test_sixteen_tabs_of_one_customer_never_exceed_a_cap(database, shop_id):
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(partial(client, database, shop_id, [CUSTOMER]), range(CLIENTS)))

    state = kept(database, shop_id, CUSTOMER)
    assert_within_caps(answers, state)
    assert state.session_count == CAPS.session


def test_four_processes_of_one_customer_never_exceed_a_cap(database, shop_id):
    url = database.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(partial(client_of_its_own_process, url, shop_id), range(8)))

    assert_within_caps(answers, kept(database, shop_id, CUSTOMER))


def test_tabs_that_know_both_names_count_what_the_guest_was_shown(database, shop_id):
    with ThreadPoolExecutor(CLIENTS) as pool:
        guests = list(pool.map(partial(client, database, shop_id, [VISITOR]), range(4)))
    before = sum(map(len, guests))
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(partial(client, database, shop_id, [CUSTOMER, VISITOR]), range(CLIENTS)))

    assert before == CAPS.day  # the guest used it up
    assert answers == [[]] * CLIENTS
    assert_within_caps(guests, kept(database, shop_id, CUSTOMER, VISITOR))


def test_sixteen_shoppers_together_never_exceed_the_cap_of_the_shop(database, shop_id):
    caps = Caps(shop_day=20)

    def shopper(number):
        taken = 0
        for _ in range(4):
            for _round in range(MOST_ROUNDS):
                try:
                    with database.write() as session:
                        bind_shop(session, shop_id)
                        taken += take_from_shop(session, shop_id, 1, caps, now=NOW)
                    break
                except Exception as error:
                    if not is_transient(error):
                        raise
        return taken

    with ThreadPoolExecutor(CLIENTS) as pool:
        taken = list(pool.map(shopper, range(CLIENTS)))

    assert sum(taken) == 20
