"""What the demo lets happen to customers after they bought, and what it tells a merchant of it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shopify_upsell.cli.joined import require_shop
from shopify_upsell.cli.processes import Stack
from shopify_upsell.core import DecisionId
from shopify_upsell.database import Database
from shopify_upsell.offers.decisions import read_decision
from shopify_upsell.offers.findings import explanation_fields
from shopify_upsell.settings import read_settings

if TYPE_CHECKING:
    from shopify_upsell.devstore.afterwards import Explained, Story

UNTROUBLED = "delivered_on_time"
"""The one story after which offers go on."""


def live_stories(stack: Stack, shop_domain: str, say: Callable[[str], None]) -> "list[Story]":
    """Live every story of the dev store, saying each in a line as it ends. Raises: JourneyFailed."""
    from shopify_upsell.devstore.afterwards import Scene, walk_afterwards

    key = stack.command("signals", "key", "--shop", shop_domain, "--source", "demo").strip()
    # Read here and not by the command: a process a question would take longer than the journey.
    with closing(_Explainer(stack.environment, shop_domain)) as explainer:
        scene = Scene(stack.devstore_url, stack.app_url, explainer.explain, key)
        return walk_afterwards(scene, lambda story: say(sentence_of(story)))


def sentence_of(story: "Story") -> str:
    """One story in one line, for a merchant."""
    if story.gate is None:
        return f"a customer {story.happened}: offers go on ({', '.join(story.reasons)})"
    until = f", not before {story.until[:10]}" if story.until else ""
    again = f"; offers came back when {story.ended}" if story.cards_again else ""
    places = len(story.places_asked)
    where = f" on any of {places} surfaces" if places > 1 else ""
    return (
        f"a customer {story.happened}: no offer{where} {story.seconds:.1f} s later. "
        f"{story.sentence} ({story.gate}{until}){again}"
    )


def summary_of(stories: "list[Story]") -> dict[str, Any]:
    """What the stories showed: one entry each, how long the slowest silence took, and one decision explained.

    Units: seconds from the news to the first answer that honours it.
    """
    silenced = [story for story in stories if story.gate is not None]
    explained = next(story for story in silenced if story.until is not None)
    return {
        "stories": {story.name: asdict(story) for story in stories},
        "gates": sorted(str(story.gate) for story in silenced),
        "slowest_silence_seconds": max(story.seconds for story in silenced),
        "explained": {
            "decision_id": explained.decision_id,
            "gate": explained.gate,
            "sentence": explained.sentence,
            "next_at": explained.until,
        },
    }


def promises_of(stories: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """What every story must have shown, each with the sentence that says what failed."""
    silenced = {name: story for name, story in stories.items() if name != UNTROUBLED}
    passing = ("late_delivery", "return_requested", "ticket_opened", "snooze")
    return {
        "every customer was shown an offer before": all(story["cards_before"] for story in stories.values()),
        "a parcel on time leaves the offers": stories[UNTROUBLED]["cards_after"] > 0,
        "trouble and wishes silence every offer": not any(story["cards_after"] for story in silenced.values()),
        "what passes says when": all(silenced[name]["until"] for name in passing),
        "trouble that is over gives offers back": all(
            silenced[name]["cards_again"] for name in ("return_requested", "ticket_opened")
        ),
        "no offers means none on any surface": len(silenced["preference_none"]["places_asked"]) > 1,
    }


class _Explainer:
    """Reads stored decisions in the demo's own database."""

    def __init__(self, environment: Mapping[str, str], shop_domain: str) -> None:
        self._database = Database(read_settings(environment).database_url)
        self._shop_domain = shop_domain

    def explain(self, decision_id: str) -> "Explained":
        """Tell why a decision is what it is."""
        from shopify_upsell.devstore.afterwards import Explained

        with self._database.read() as session:
            shop = require_shop(session, self._shop_domain)
            told = explanation_fields(read_decision(session, shop.shop_id, DecisionId(decision_id)))
        gate, readiness = told["gate"] or {}, told["readiness"] or {}
        return Explained(
            gate=gate.get("code"),
            until=gate.get("until"),
            sentence=gate.get("sentence", ""),
            reasons=tuple(reason["code"] for reason in readiness.get("reasons", ())),
        )

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()
