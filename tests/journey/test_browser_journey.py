"""A shopper in real headless Chromium: the real extensions on the dev store, the real app behind them.

SCREENSHOTS=1 writes the pictures of the README again.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from shopify_upsell.cli.demo import SHOP, overview, prepare
from shopify_upsell.cli.processes import Stack, free_port

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
ANCHOR, COMPANION = ("Clear Start Clay Mask", "clear-start-clay-mask"), "Silicone Mask Brush"
ANCHOR_OF_A_SET = ("Rose Ritual Serum", "rose-ritual-serum")

WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({type: 'layout-shift', buffered: true});
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    # No holdout here: a shopper of this test must always be one who may see offers.
    os.environ["HOLDOUT_BASIS_POINTS"] = "0"
    folder = tmp_path_factory.mktemp("journey")
    options = ("--seed", "7", "--orders", "1500")
    running = Stack(folder, app_port=free_port(0), devstore_port=free_port(0), devstore_options=options)
    with running:
        prepare(running)
        yield running
    del os.environ["HOLDOUT_BASIS_POINTS"]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, stack):
    """A new shopper: nothing stored, and a note of every request and complaint of the page."""
    context = browser.new_context(viewport={"width": 1180, "height": 900}, base_url=stack.devstore_url)
    page = context.new_page()
    page.requested, page.complaints = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
    page.add_init_script(WATCH_SHIFTS)
    yield page
    context.close()


def open_product(page, *, consent, product=ANCHOR):
    """Open a product's page, after answering the consent banner."""
    title, handle = product
    page.goto("/collections/all")
    page.get_by_role("button", name="Accept" if consent else "Decline", exact=True).click()
    page.goto(f"/products/{handle}")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    return page.locator("wellpaired-offer")


def card_of(offers, title):
    card = offers.locator("li.wp__card").filter(has_text=title).first
    expect(card).to_be_visible()
    return card


def picture(page, name):
    if os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(400)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def accessibility_problems(page):
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response["violations"]
    return [(problem["id"], problem["nodes"][0]["html"][:200]) for problem in found]


def test_a_shopper_takes_two_offers_and_both_are_credited_to_the_cent(page, stack):
    before = overview(stack)
    offers = open_product(page, consent=True, product=ANCHOR_OF_A_SET)
    card = card_of(offers, "Goes well with this")
    picture(page, "product")
    assert cart_of(page)["item_count"] == 0, "nothing is added unasked"

    card.locator("[data-wp=accept]").click()
    expect(page.locator("[data-cart-count]").first).to_have_text("1")
    page.get_by_role("button", name="Add to cart", exact=True).click()
    page.wait_for_url("**/cart")
    page.locator("wellpaired-offer").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    picture(page, "cart")
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("button", name="Pay").click()
    pay = page.locator("#post-purchase").get_by_role("button", name="Pay now")
    expect(pay).to_be_visible()
    picture(page, "post-purchase")
    pay.click()
    page.wait_for_url("**/thank_you")
    picture(page, "thank-you")

    order_id = page.locator("[data-order-id]").get_attribute("data-order-id")
    order = json.loads(page.evaluate(f"fetch('/_dev/orders/{order_id}').then((r) => r.text())"))
    taken = [line for line in order["lines"] if "_wp" in line["properties"]] + order["lines"][-1:]
    expected = before["credited_minor_units"] + sum(line["net_minor_units"] for line in taken)
    after = stack.wait_for("the credit", lambda: _credited(stack, expected), seconds=60)
    assert len(order["lines"]) == 3
    assert after["residual_minor_units"] == 0
    assert page.complaints == []


def cart_of(page):
    return json.loads(page.evaluate("fetch('/cart.js').then((r) => r.text())"))


def _credited(stack, expected):
    found = overview(stack)
    return found if found["credited_minor_units"] >= expected else None


def test_a_dismissed_product_stays_hidden_on_every_page(page):
    offers = open_product(page, consent=True)
    card_of(offers, COMPANION).locator("[data-wp=dismiss]").click()
    expect(offers.locator("li.wp__card").filter(has_text=COMPANION)).to_have_count(0)

    page.evaluate("sessionStorage.clear()")
    page.get_by_role("button", name="Add to cart", exact=True).click()
    page.goto("/cart")
    page.wait_for_load_state("networkidle")

    assert page.locator("wellpaired-offer li.wp__card").filter(has_text=COMPANION).count() == 0


def test_a_snooze_hides_every_offer(page):
    offers = open_product(page, consent=True)
    card = card_of(offers, COMPANION)
    card.locator("summary").click()
    with page.expect_response("**/events*"):
        card.locator("[data-days='30']").click()

    page.evaluate("sessionStorage.clear()")
    page.goto(f"/products/{ANCHOR[1]}")
    page.wait_for_load_state("networkidle")

    assert page.locator("wellpaired-offer li.wp__card").count() == 0


def test_nothing_shifts_nothing_foreign_is_called_and_axe_finds_nothing(page, stack):
    offers = open_product(page, consent=True)
    card_of(offers, COMPANION)
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(500)

    assert page.evaluate("window.shifts") == 0
    assert {url for url in page.requested if not url.startswith((stack.devstore_url, "data:"))} == set()
    assert accessibility_problems(page) == []
    assert page.complaints == []


def test_without_consent_no_visitor_is_stored_or_sent(page):
    offers = open_product(page, consent=False)
    card_of(offers, COMPANION)

    asked = [url for url in page.requested if "/apps/wellpaired/offers" in url]
    assert len(asked) == 1
    assert "visitor" not in asked[0]
    assert page.evaluate("Object.keys(localStorage)") == []


def test_offers_that_cannot_be_had_leave_the_page_as_it_is(page):
    page.route("**/apps/wellpaired/**", lambda route: route.abort())
    offers = open_product(page, consent=True)
    page.wait_for_timeout(800)

    assert offers.locator("li.wp__card").count() == 0
    page.get_by_role("button", name="Add to cart", exact=True).click()
    page.wait_for_url("**/cart")


def test_every_decision_behind_the_pages_replays(stack, page):
    answered = []
    page.on("response", lambda response: answered.append(response) if "/wellpaired/offers" in response.url else None)
    card_of(open_product(page, consent=True), COMPANION)

    decision_id = answered[0].json()["decision_id"]
    explained = stack.command("decide", "--shop", SHOP, "--decision", decision_id)

    assert "Replay: identical." in explained
    assert COMPANION in explained


def answer_of(page, consent=True):
    """What the app answers a shopper beside the anchor."""
    with page.expect_response("**/apps/wellpaired/offers*") as answered:
        card_of(open_product(page, consent=consent), COMPANION)
    return answered.value.json()


def answer_with(page, answer, **changes):
    """Let the app answer the same for the next pages, its first offer changed."""
    told = answer | {"offers": [answer["offers"][0] | changes, *answer["offers"][1:]]}
    page.route("**/apps/wellpaired/offers*", lambda route: route.fulfill(json=told))


def size_of(locator):
    box = locator.bounding_box()
    return (round(box["width"]), round(box["height"]))


def test_saying_no_is_as_easy_as_saying_yes_on_every_width(page):
    card = card_of(open_product(page, consent=True), COMPANION)

    for width in (1180, 360):
        page.set_viewport_size({"width": width, "height": 800})
        accept, dismiss = card.locator("[data-wp=accept]"), card.locator("[data-wp=dismiss]")
        assert size_of(accept) == size_of(dismiss)
        assert size_of(accept)[1] >= 44
        for way in ("summary", "[data-wp=fewer]"):
            assert min(size_of(card.locator(way))) >= 24
    assert dismiss.inner_text().strip().startswith("Not interested")


def test_a_shopper_says_by_keyboard_alone_that_they_want_no_offers_and_gets_none(page):
    offers = open_product(page, consent=True)
    card_of(offers, COMPANION).locator("[data-wp=fewer]").focus()
    with page.expect_response("**/apps/wellpaired/preferences*"):
        page.keyboard.press("Enter")
    expect(offers.locator("[value=all]")).to_be_checked()
    picture(page, "preferences")
    assert accessibility_problems(page) == []

    for _ in range(3):
        page.keyboard.press("ArrowDown")
    with page.expect_response(lambda answer: answer.request.method == "POST" and "preferences" in answer.url) as kept:
        page.keyboard.press("Enter")
    assert kept.value.json()["level"] == "none"
    expect(offers.get_by_text("Saved. You will see no more offers.", exact=True)).to_be_visible()
    expect(offers.locator("li.wp__card")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(offers).to_have_attribute("data-state", "done")

    page.goto(f"/products/{ANCHOR[1]}")
    page.wait_for_load_state("networkidle")
    assert page.locator("wellpaired-offer li.wp__card").count() == 0
    assert page.complaints == []
    assert page.evaluate("Object.keys(localStorage)") == ["wellpaired:visitor"]


def test_who_nobody_knows_is_heard_too_and_only_their_browser_remembers(page):
    offers = open_product(page, consent=False)
    card_of(offers, COMPANION).locator("[data-wp=fewer]").click()
    offers.get_by_label("None").check()
    offers.get_by_role("button", name="Save", exact=True).click()
    expect(offers.get_by_text("Saved. You will see no more offers. This holds in this browser.")).to_be_visible()

    page.requested.clear()
    page.goto(f"/products/{ANCHOR[1]}")
    page.wait_for_load_state("networkidle")

    assert [url for url in page.requested if "/apps/wellpaired/" in url] == []
    assert page.evaluate("Object.keys(localStorage)") == ["wellpaired:level"]


def test_a_full_card_moves_nothing_is_accessible_and_sends_no_name(page):
    answer = answer_of(page)
    total = answer["offers"][0]["total"]
    before = total | {"minor_units": total["minor_units"] + 250}
    (item, *_) = answer["offers"][0]["items"]
    answer_with(
        page,
        answer,
        greeting={"with_name": "{first_name}, this may suit you", "without_name": "This may suit you"},
        benefits=["Reaches every corner of the face", "Rinses clean under the tap", "Leaves no streaks"],
        saving=total | {"minor_units": 250},
        original_total=before,
        items=[item | {"original_price": before}],
        why=answer["offers"][0]["why"] | {"fact": "You have bought this 3 times in the last two years"},
    )
    page.goto("/account")
    customer = page.locator("#customers option").first.get_attribute("value")
    page.get_by_label("Customer number").fill(customer)
    page.get_by_role("button", name="Be this customer").click()
    sent = []
    page.on("request", lambda request: sent.append(request.url + (request.post_data or "")))

    page.goto(f"/products/{ANCHOR[1]}")
    offers = page.locator("wellpaired-offer")
    expect(offers.get_by_text("Robin, this may suit you", exact=True)).to_be_visible()
    card = offers.locator("li.wp__card").first
    expect(card.get_by_text("You save $2.50")).to_be_visible()

    assert page.evaluate("window.shifts") == 0
    assert accessibility_problems(page) == []
    assert [text for text in sent if "robin" in text.lower()] == []
    assert cart_of(page)["item_count"] == 0
    assert page.complaints == []
