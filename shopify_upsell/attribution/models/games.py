"""Shapley values of cooperative games, exactly. Pure; pass whole numbers or fractions to get fractions."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial
from typing import Any, TypeVar

Player = TypeVar("Player", bound=Hashable)


def shapley_values(players: Sequence[Player], worth: Callable[[frozenset[Player]], Any]) -> dict[Player, Any]:
    """What each player adds to a coalition, averaged over every order in which they might join.

    Shape: one value a player; the values add up to worth(all) - worth(nobody).
    Units: those of `worth`; exact when it gives whole numbers or fractions.
    Source: Shapley (1953), the sum over coalitions S without i of |S|!(n-|S|-1)!/n! (v(S+i) - v(S)).
    """
    count = len(players)
    known = {
        frozenset(chosen): worth(frozenset(chosen))
        for size in range(count + 1)
        for chosen in combinations(players, size)
    }
    values: dict[Player, Any] = dict.fromkeys(players, Fraction(0))
    for coalition, value in known.items():
        size = len(coalition)
        for player in players:
            if player in coalition:
                weight = Fraction(factorial(size - 1) * factorial(count - size), factorial(count))
                values[player] += weight * (value - known[coalition - {player}])
    return values


def set_game_values(
    worth_by_set: Mapping[frozenset[Player], Any], count_by_set: Mapping[frozenset[Player], Any]
) -> dict[Player, Any]:
    """Divide each set of channels among its members by the game that the exact sets' worths make, and add up.

    This is the "simplified" reading, where a coalition is worth what journeys of exactly that set brought. It is kept
    for comparison with published examples and is not a model here: with worths of subsets it is linear in disguise.

    Shape: `count_by_set` multiplies each set's values (journeys or money), so that they add up over all sets.
    Source: Zhao, Mahboobi and Bagheri (2018), part 2.
    """
    totals: dict[Player, Any] = {}
    for members, count in count_by_set.items():
        values = shapley_values(sorted(members, key=repr), lambda coalition: worth_by_set.get(coalition, 0))
        for player, value in values.items():
            totals[player] = totals.get(player, 0) + value * count
    return totals
