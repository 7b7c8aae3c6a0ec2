"""`shopify-upsell demo`: the whole journey on this machine, for a person to click through or checking itself."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import click
import requests

from shopify_upsell.cli.demo_stories import live_stories, promises_of, summary_of
from shopify_upsell.cli.processes import DemoFailed, Stack, free_port
from shopify_upsell.money import Money

SHOP = "glow.myshopify.com"


@click.command()
@click.option("--once", is_flag=True, help="Walk the journey headless, check every step, print one JSON summary.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True)
@click.option("--seed", default=7, show_default=True, help="Seed of the generated store.")
@click.option("--orders", default=2500, show_default=True, help="Orders in its history.")
@click.option("--orders-file", type=click.Path(exists=True, path_type=Path), help="Study this order file instead.")
def demo(once: bool, folder: Path, seed: int, orders: int, orders_file: Path | None) -> None:
    """Start web, worker, clock and a simulated Shopify, install the app, learn from the store's history."""
    options: tuple[str, ...] = ("--seed", str(seed), "--orders", str(orders))
    if orders_file is not None:
        options += ("--orders-file", str(orders_file.resolve()))
    stack = Stack(folder.resolve(), app_port=free_port(5050), devstore_port=free_port(9292), devstore_options=options)
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    try:
        with stack:
            summary = prepare(stack)
            if once:
                click.echo(json.dumps(walk(stack, summary), sort_keys=True))
            else:
                _stay(stack)
    except DemoFailed as failure:
        click.echo(f"demo: {failure.message}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        click.echo("demo: stopped", err=True)


def prepare(stack: Stack) -> dict[str, Any]:
    """Install the app in the dev store, import its history, and wait until pairs are learned."""
    started = time.monotonic()
    _say("installing the app in the dev store")
    stack.wait_for("the install", lambda: _post(stack, "install")["installed"])
    stack.wait_for("the catalogue", lambda: overview(stack)["products"] > 0)
    _say("importing the order history")
    history = stack.folder / "history.csv"
    history.write_bytes(requests.get(f"{stack.devstore_url}/_dev/history.csv", timeout=60).content)
    imported = json.loads(stack.command("import-orders", str(history), "--shop", SHOP, "--json"))
    _say(f"{imported['orders_imported']} orders imported; learning which product goes with which")
    stack.wait_for("a learned pair", lambda: overview(stack)["pairs_learned"] > 0, seconds=120)
    return {"orders_imported": imported["orders_imported"], "seconds_to_prepare": round(time.monotonic() - started, 1)}


def walk(stack: Stack, summary: dict[str, Any]) -> dict[str, Any]:
    """Walk the shopper's journey over HTTP, then check what the app made of it."""
    from shopify_upsell.devstore.journey import JourneyFailed, walk_journey

    _say("walking the journey")
    try:
        observed = walk_journey(stack.devstore_url, stack.app_url)
        _say(
            f"  a shopper looked at {observed['product']} and was offered {observed['offered']} ({observed['why']}); "
            "they took it, and another offer after paying"
        )
        _say("what happens to customers afterwards, and who is asked no more")
        stories = live_stories(stack, SHOP, lambda told: _say(f"  {told}"))
    except JourneyFailed as failure:
        raise DemoFailed(str(failure)) from failure
    _post(stack, "webhooks/flush")
    credited = stack.wait_for("the credit", lambda: _credited(stack, observed), seconds=60)
    statement = json.loads(stack.command("report", "statement", "--shop", SHOP, "--json"))
    explained = stack.command("decide", "--shop", SHOP, "--decision", observed["decision_id"])
    if "Replay: identical." not in explained:
        raise DemoFailed("the stored decision did not replay to the same answer")
    result = summary | observed | credited | summary_of(stories)
    _check(result, statement)
    earned = Money(result["credited_minor_units"], result["currency"]).to_decimal_string()
    _say(f"  {earned} {result['currency']} credited, exactly what was accepted; every month of the statement adds up")
    return result | {"replayed": True, "statement_months": len(statement["statements"])}


def overview(stack: Stack) -> dict[str, Any]:
    """The app's own overview, by its command."""
    return dict(json.loads(stack.command("report", "overview", "--shop", SHOP, "--json")))


def _credited(stack: Stack, observed: dict[str, Any]) -> dict[str, Any] | None:
    found = overview(stack)
    is_whole = found["credited_minor_units"] >= observed["accepted_minor_units"] and not found["residual_minor_units"]
    return found if is_whole and not found["events"].get("stored") else None


def _check(result: dict[str, Any], statement: dict[str, Any]) -> None:
    """Every promise of the journey, each with the sentence that says what failed."""
    expectations = {
        "an order was ingested": result["orders_ingested"] > result["orders_imported"],
        "pairs were learned": result["pairs_learned"] > 0,
        "an offer was shown": result["offer_shown"],
        "the cart carried the token": result["cart_token_seen"],
        "the post-purchase offer was accepted": result["post_purchase_accepted"],
        "the credit equals what was accepted": result["credited_minor_units"] == result["accepted_minor_units"],
        "credits and the rest equal the ledger": result["residual_minor_units"] == 0,
        "every month's statement has no residual": all(s["residual_minor_units"] == 0 for s in statement["statements"]),
        "the decision said why": bool(result["reasons"]),
        "no event died": not result["events"].get("dead"),
        **promises_of(result["stories"]),
    }
    missed = [promise for promise, is_kept in expectations.items() if not is_kept]
    if missed:
        raise DemoFailed(f"not observed: {'; '.join(missed)} ({json.dumps(result, sort_keys=True)})")


def _stay(stack: Stack) -> None:
    click.echo(
        f"\nThe store (shop as a customer):    {stack.devstore_url}/collections/all"
        f"\nThe app in the admin:              {stack.devstore_url}/_dev/admin"
        f"\nWhat the dev store sees:           {stack.devstore_url}/_dev/state"
        f"\nFigures:                           {stack.app_url}/metrics"
        f"\nLogs and database:                 {stack.folder}"
        "\n\nCtrl-C stops everything."
    )
    while True:
        stack.check()
        time.sleep(1)


def _interrupt() -> None:
    """Ended from outside, the demo stops its processes as after Ctrl-C."""
    raise KeyboardInterrupt


def _post(stack: Stack, path: str) -> dict[str, Any]:
    answer = requests.post(f"{stack.devstore_url}/_dev/{path}", timeout=60)
    if not answer.ok:
        raise DemoFailed(f"the dev store refused {path}: {answer.text[:300]}")
    return dict(answer.json())


def _say(text: str) -> None:
    click.echo(f"demo: {text}", err=True)
