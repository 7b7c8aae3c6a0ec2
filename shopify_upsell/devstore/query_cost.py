"""What an Admin API query costs, and the leaky bucket it is paid from.

Shopify publishes: scalars and enums 0, objects 1, connections "sized by first and last", a mutation 10, and refuses a
query that may cost more than 1,000. How the size counts is not published; here it counts by its logarithm, which is
a model and not Shopify's number. Source: platform notes §9.1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)
from graphql.type import GraphQLNamedType

MAX_QUERY_COST = 1000
MUTATION_COST = 10
CONNECTION_COST = 2
PLUMBING = ("edges", "pageInfo")


@dataclass(slots=True)
class CostReader:
    """Sums a document's worst case from its selections."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, object]

    def cost(self, operation: OperationDefinitionNode) -> int:
        """The most that the operation may cost."""
        root = self.schema.get_root_type(operation.operation)
        base = MUTATION_COST if operation.operation == OperationType.MUTATION else 0
        return base + math.ceil(self._selection(operation.selection_set, root, operation))

    def _selection(
        self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None, operation: OperationDefinitionNode
    ) -> float:
        total = 0.0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += self._field(node, parent, operation)
            elif isinstance(node, InlineFragmentNode):
                on = self.schema.get_type(node.type_condition.name.value) if node.type_condition else parent
                total += self._selection(node.selection_set, on, operation)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragment(node.name.value)
                on = self.schema.get_type(fragment.type_condition.name.value)
                total += self._selection(fragment.selection_set, on, operation)
        return total

    def _fragment(self, name: str) -> FragmentDefinitionNode:
        return next(
            node
            for node in self.document.definitions
            if isinstance(node, FragmentDefinitionNode) and node.name.value == name
        )

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, operation: OperationDefinitionNode) -> float:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or node.name.value not in parent.fields:
            return 0.0
        returned = get_named_type(parent.fields[node.name.value].type)
        if returned is None or is_leaf_type(returned):
            return 0.0
        children = self._selection(node.selection_set, returned, operation)
        if returned.name.endswith("Connection"):
            return CONNECTION_COST + children * self._size(node, operation)
        return children if node.name.value in PLUMBING else 1 + children

    def _size(self, node: FieldNode, operation: OperationDefinitionNode) -> float:
        for argument in node.arguments:
            if argument.name.value in ("first", "last"):
                return 1 + math.log2(max(1, self._whole(argument.value, operation)))
        return 1.0

    def _whole(self, value: object, operation: OperationDefinitionNode) -> int:
        if isinstance(value, VariableNode):
            name = value.name.value
            given = self.variables.get(name)
            if isinstance(given, int):
                return given
            defined = {row.variable.name.value: row.default_value for row in operation.variable_definitions}
            value = defined.get(name)
        return int(value.value) if isinstance(value, IntValueNode) else 1


def count_objects(data: object) -> int:
    """What a query really cost: one point for every object that came back, the plumbing of connections aside."""
    if isinstance(data, list):
        return sum(count_objects(item) for item in data)
    if not isinstance(data, dict):
        return 0
    return 1 + sum(count_objects(value) - _plumbing(key, value) for key, value in data.items())


def _plumbing(key: str, value: object) -> int:
    if key not in PLUMBING:
        return 0
    return len(value) if isinstance(value, list) else 1


@dataclass(slots=True)
class Bucket:
    """Points of one app on one shop. They come back with time, up to the size."""

    size: float
    restore_rate: float
    available: float
    read_at: datetime

    def available_at(self, now: datetime) -> float:
        """Refill up to now, and tell what there is."""
        seconds = max(0.0, (now - self.read_at).total_seconds())
        self.available = min(self.size, self.available + seconds * self.restore_rate)
        self.read_at = now
        return self.available

    def status(self, now: datetime) -> dict[str, float]:
        """The throttleStatus of every answer."""
        return {
            "maximumAvailable": self.size,
            "currentlyAvailable": int(self.available_at(now)),
            "restoreRate": self.restore_rate,
        }
