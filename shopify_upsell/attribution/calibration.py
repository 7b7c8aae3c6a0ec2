"""What channels caused, from one holdout a channel: the yardstick that multi-touch models are calibrated by. Pure.

Each channel withholds itself from a random share of the shoppers whom it would have reached. The difference between
those reached and those withheld is what the channel caused, whatever else they met.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelHoldout:
    """One channel's experiment, over shoppers it reached or would have reached (triggered, by assigned arm).

    Units: shoppers; outcomes in conversions or minor units, summed over an arm.
    """

    channel: str
    reached: int
    reached_outcome: float
    held: int
    held_outcome: float

    @property
    def caused(self) -> float:
        """Outcome that the channel added over all it reached: n (mean reached - mean held); 0 without both arms."""
        if not self.reached or not self.held:
            return 0.0
        return self.reached_outcome - self.reached * self.held_outcome / self.held


def calibrated_shares(holdouts: Sequence[ChannelHoldout]) -> dict[str, float]:
    """Each channel's share of what all channels caused. A channel that seems to have done harm has a share of 0.

    Shape: shares add up to 1, or are all 0 when nothing seems to have been caused.
    Source: difference in means, intention to treat; reference `measurement.md` part 0, finding 5.
    """
    caused = {holdout.channel: max(0.0, holdout.caused) for holdout in holdouts}
    whole = sum(caused.values())
    return {channel: part / whole if whole else 0.0 for channel, part in caused.items()}


def calibrated_weights(
    channels: Sequence[str], weights: Sequence[int], attributed: Sequence[float], caused: Sequence[float]
) -> list[float]:
    """Bend a path's weights so that channels, over all paths, tend to what they caused rather than what they touched.

    `attributed`, `caused`: for each touch, the totals of its channel under the model and by holdout.

    Shape: as many as touches; they add up to 1, or are the weights themselves when nothing was caused.
    """
    if not len(channels) == len(weights) == len(attributed) == len(caused):
        raise ValueError("one weight, attributed and caused total for each touch")
    bent = [
        weight * max(0.0, cause) / claim if claim > 0 else 0.0
        for weight, claim, cause in zip(weights, attributed, caused, strict=True)
    ]
    whole = sum(bent)
    total = sum(weights)
    return [part / whole for part in bent] if whole else [weight / total for weight in weights]
