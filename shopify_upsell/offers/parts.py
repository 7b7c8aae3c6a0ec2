"""The parts of a decision's inputs that others share, as they are stored: compressed text and its digest.

Pure. A process makes a part once and names it in thousands of decisions.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property

from shopify_upsell.core import text_digest
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.snapshot_json import part_to_json


@dataclass(frozen=True)
class Part:
    """A shared text and its digest."""

    digest: str
    text: str

    @cached_property
    def body(self) -> bytes:
        """The text as zlib, made when it is first stored. Level 1: a tenth of the size for the least time."""
        return zlib.compress(self.text.encode(), 1)


@dataclass(frozen=True, slots=True)
class SharedParts:
    """The two shared parts of a snapshot: what is the shop's, and what is these products'."""

    rulebook: Part
    shelf: Part


def part_of(text: str) -> Part:
    """Name a text by its digest."""
    return Part(text_digest(text), text)


def shared_parts(snapshot: Snapshot) -> SharedParts:
    """Make the parts of a snapshot."""
    return SharedParts(part_of(part_to_json(snapshot, "rulebook")), part_of(part_to_json(snapshot, "shelf")))


def parts_of(decision: Decision) -> tuple[Part, Part]:
    """The parts that a decision's shelf has written, or made now."""
    parts: SharedParts = getattr(decision.shelf, "parts", None) or shared_parts(decision.inputs)
    return parts.rulebook, parts.shelf
