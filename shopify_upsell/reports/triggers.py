"""Read what decisions mean for experiments: who is triggered, in which arm, and whether arms were served alike.

Comes in: stored decisions. Goes out: what counting has to write down of each. Where the answer that was served does not
tell, what each arm would have answered is worked out from the stored snapshot.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, NotFound, OfferId, ShopId, text_digest
from shopify_upsell.experiments.layers import HOLDOUT, HOLDOUT_ID, OPEN, quarter_of
from shopify_upsell.experiments.running import arms_for
from shopify_upsell.offers.arms import placements_of
from shopify_upsell.offers.counterfactual import ShownByArm, is_triggered, served_differences, shown_by_arm
from shopify_upsell.offers.decisions import read_decision
from shopify_upsell.offers.experiment_store import DRAFT, Experiment, experiments_in
from shopify_upsell.offers.shelving import FRESH_SECONDS
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot
from shopify_upsell.offers.snapshot_json import request_from_json
from shopify_upsell.offers.store import all_offers
from shopify_upsell.offers.unit_store import Sighting, cart_subject, people_of
from shopify_upsell.reports.outcome_store import records_of_people

log = logging.getLogger(__name__)

SETTLING = timedelta(seconds=2 * FRESH_SECONDS)
"""A process may decide for some seconds by what it remembers: nobody counts for an experiment before it is over."""


ONE_IN = 20
"""Of so many triggers one is checked for what the arms would have served: a fault of an arm shows in every one."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A trigger: experiment (0 is the holdout), phase (for it the quarter), and the arm the unit was assigned."""

    experiment_id: int
    phase: int
    arm: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision as counting sees it. `differences`: fields that arms served unlike though they may not."""

    unit: str
    at: datetime
    request: OfferRequest
    exposures: tuple[Exposure, ...]
    differences: tuple[tuple[Exposure, tuple[str, ...]], ...] = ()

    @property
    def sighting(self) -> Sighting:
        """The names that were seen together."""
        cart = (cart_subject(self.request.cart_token),) if self.request.cart_token else ()
        return Sighting(tuple(dict.fromkeys((self.unit, *self.request.subjects, *cart))), self.unit, self.at)


class DecisionReader:
    """Reads a page of decisions. Holds what was counted of their units before, so that little is replayed."""

    def __init__(self, session: Session, shop_id: ShopId, page: Sequence[Any]) -> None:
        self._session, self._shop_id = session, shop_id
        self._experiments = [one for one in experiments_in(session, shop_id) if one.state != DRAFT]
        people = people_of(session, shop_id, {row.unit for row in page if row.unit is not None})
        held = {(one.person_id, one.experiment_id, one.phase): one for one in
                records_of_people(session, shop_id, people.values())}  # fmt: skip
        self._people, self._held = people, held
        self._offers = {offer.offer_id: offer for offer in all_offers(session, shop_id)}

    def seen(self, row: Any) -> Seen:
        """What a decision means for its unit."""
        running = [one for one in self._experiments if self._may_matter(row, one)]
        decision = _Decision(self._session, self._shop_id, row, running)
        exposures, differences = [], []
        for each in self._assigned(row, decision):
            if self._is_known(row, each):
                continue
            if decision.triggers(each.experiment_id):
                exposures.append(each)
                found = decision.differences(each.experiment_id)
                differences += [(each, found)] if found else []
        return Seen(row.unit, row.decided_at, decision.request, tuple(exposures), tuple(differences))

    def _may_matter(self, row: Any, experiment: Experiment) -> bool:
        """Tell whether the experiment ran, and its offer may appear where the decision was asked for."""
        ran = experiment.ran_at(row.decided_at) and experiment.ran_at(row.decided_at - SETTLING)
        offer = self._offers.get(OfferId(experiment.running.offer_id))
        return ran and offer is not None and row.placement in placements_of(offer, experiment.running.arms)

    def _assigned(self, row: Row[Any], decision: "_Decision") -> list[Exposure]:
        holdout = Exposure(HOLDOUT_ID, quarter_of(row.decided_at), HOLDOUT if row.is_holdout else OPEN)
        return [holdout, *(Exposure(one.experiment_id, one.phase, one.arm) for one in decision.assigned)]

    def _is_known(self, row: Row[Any], exposure: Exposure) -> bool:
        """Tell whether the unit was triggered before, in the same arm: then this decision adds nothing."""
        person = self._people.get(row.unit)
        held = None if person is None else self._held.get((person, exposure.experiment_id, exposure.phase))
        return held is not None and held.arm == exposure.arm and held.first_at <= row.decided_at


class _Decision:
    """One stored decision and, where it is needed, what each arm would have answered. Replays happen once."""

    def __init__(self, session: Session, shop_id: ShopId, row: Row[Any], running: Sequence[Experiment]) -> None:
        self._session, self._shop_id, self._row = session, shop_id, row
        # Not at the very moment: for a few seconds a process may still let in only those it let in before.
        self._running = {one.experiment_id: one.running_at(row.decided_at - SETTLING) for one in running}
        self.request = request_from_json(row.inputs)
        self.assigned = arms_for(self._running.values(), row.unit, is_holdout=row.is_holdout)
        self._served = {int(offer["offer_id"]) for offer in json.loads(row.answer)["chosen"]}
        self._is_checked = int(text_digest(row.decision_id)[:8], 16) % ONE_IN == 0
        self._shown: dict[int, ShownByArm] = {}
        self._snapshot: Snapshot | None = None

    def triggers(self, experiment_id: int) -> bool:
        """Tell whether any arm would have shown what the experiment is about."""
        if experiment_id == HOLDOUT_ID:
            # Whoever is held out gets the offers as written; an arm may show one where those show none.
            return self._row.offer_count > 0 or any(is_triggered(self._arms(number)) for number in self._running)
        # The unit's own arm is one of them: what it showed need not be worked out.
        is_served = self._running[experiment_id].offer_id in self._served
        return is_served or is_triggered(self._arms(experiment_id))

    def differences(self, experiment_id: int) -> tuple[str, ...]:
        """Fields in which the arms' offers differ though they may not."""
        if experiment_id == HOLDOUT_ID or not self._is_checked:
            return ()
        return served_differences(self._running[experiment_id].kind, self._arms(experiment_id))

    def _arms(self, experiment_id: int) -> ShownByArm:
        if experiment_id not in self._shown:
            experiment = self._running[experiment_id]
            others = [one for number, one in self._running.items() if number != experiment_id]
            snapshot = self._whole()
            is_gone = snapshot is None
            self._shown[experiment_id] = (
                {} if is_gone or snapshot is None else shown_by_arm(snapshot, experiment, others, self.assigned)
            )
        return self._shown[experiment_id]

    def _whole(self) -> Snapshot | None:
        """The stored snapshot; None when a part of it has been retired."""
        if self._snapshot is None:
            try:
                decision_id = DecisionId(self._row.decision_id)
                self._snapshot = read_decision(self._session, self._shop_id, decision_id).inputs
            except NotFound:
                log.warning("exposure_not_replayed", extra={"shop_id": self._shop_id})
        return self._snapshot
