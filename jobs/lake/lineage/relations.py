"""The columns of a relation, each with its sources: one rule for every kind of relation that steps use."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from jobs.lake.lineage.expressions import Scope, follow, follow_outputs, split_identifier
from jobs.lake.lineage.lookalikes import check_windows
from jobs.lake.lineage.sources import Sources, name_local
from jobs.lake.lineage.traces import NOTHING, Columns, UnfollowableError, mix

if TYPE_CHECKING:
    from pyspark.sql.connect import proto

Rule = Callable[["Follower", Any], Columns]
LEFT_ONLY: Final = ("JOIN_TYPE_LEFT_SEMI", "JOIN_TYPE_LEFT_ANTI")
LOCAL: Final = ("local_relation", "cached_local_relation", "chunked_cached_local_relation")


class Follower:
    """Follows one plan; each relation once, however often the plan repeats it.

    Args:
        sources: knows the columns of what is read.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._plans: dict[int, Columns] = {}

    def follow(self, relation: "proto.Relation") -> Columns:
        """The columns of a relation.

        Raises:
            UnfollowableError: the plan holds something whose sources cannot be told.
        """
        number = relation.common.plan_id if relation.common.HasField("plan_id") else None
        if number in self._plans:
            return self._plans[number]
        kind = relation.WhichOneof("rel_type") or "nothing"
        if kind in UNCHANGED:
            columns = self.follow(getattr(relation, kind).input)
        elif kind in RULES:
            columns = RULES[kind](self, getattr(relation, kind))
        else:
            message = f"relations of the kind {kind} are not followed"
            raise UnfollowableError(message)
        if number is not None:
            self._plans[number] = columns
        return columns

    def scope(self, columns: Columns) -> Scope:
        """What names over these columns may mean."""
        return Scope(columns, self._plans)


def _read(follower: Follower, read: "proto.Read") -> Columns:
    columns = follower.sources.read(read)
    if columns is None:
        message = "tables read by name or as streams are not followed"
        raise UnfollowableError(message)
    return columns


def _local_relation(follower: Follower, local: "proto.LocalRelation") -> Columns:
    names = name_local(local)
    return follower.sources.made_by_driver(names) if names else follower.sources.made_somehow()


def _range(_: Follower, __: "proto.Range") -> Columns:
    return Columns((("id", NOTHING),))


def _project(follower: Follower, project: "proto.Project") -> Columns:
    below = follower.follow(project.input) if project.HasField("input") else Columns(())
    return follow_outputs(project.expressions, follower.scope(below))


def _aggregate(follower: Follower, aggregate: "proto.Aggregate") -> Columns:
    below = follower.follow(aggregate.input)
    expressions = [*aggregate.grouping_expressions, *aggregate.aggregate_expressions]
    columns = follow_outputs(expressions, follower.scope(below))
    if aggregate.HasField("pivot"):
        return Columns((*columns.entries, (None, below.mixed))).blur()
    return columns


def _with_columns(follower: Follower, made: "proto.WithColumns") -> Columns:
    below = follower.follow(made.input)
    scope = follower.scope(below)
    new = {alias.name[0].lower(): follow(alias.expr, scope) for alias in made.aliases}
    check_windows(scope.windows)
    if not below.is_exact or _may_be_unnamed(below, new):
        return Columns((*below.entries, *new.items()), below.aliases).blur()
    replaced = [(name, new.get(name or "", lineage)) for name, lineage in below.entries]
    added = [(name, lineage) for name, lineage in new.items() if name not in below.names]
    return Columns((*replaced, *added), below.aliases)


def _with_columns_renamed(follower: Follower, renamed: "proto.WithColumnsRenamed") -> Columns:
    below = follower.follow(renamed.input)
    pairs = [(rename.col_name, rename.new_col_name) for rename in renamed.renames] or renamed.rename_columns_map.items()
    new = {old.lower(): name.lower() for old, name in pairs}
    is_chained = bool(new.keys() & set(new.values()))
    if not below.is_exact or is_chained or _may_be_unnamed(below, new):
        return below.blur()
    entries = tuple((new.get(name or "", name), lineage) for name, lineage in below.entries)
    return Columns(entries, below.aliases)


def _drop(follower: Follower, drop: "proto.Drop") -> Columns:
    below = follower.follow(drop.input)
    parts = [split_identifier(column.unresolved_attribute.unparsed_identifier) for column in drop.columns]
    is_plain = all(len(part) == 1 and below.names.count(part[0]) < 2 for part in parts)
    names = {name.lower() for name in drop.column_names} | {part[0] for part in parts if part}
    if not below.is_exact or not is_plain or _may_be_unnamed(below, names):
        return below.blur()
    return Columns(tuple(entry for entry in below.entries if entry[0] not in names), below.aliases)


def _to_df(follower: Follower, renamed: "proto.ToDF") -> Columns:
    names = [name.lower() for name in renamed.column_names]
    if renamed.input.WhichOneof("rel_type") in LOCAL:
        return follower.sources.made_by_driver(names)
    below = follower.follow(renamed.input)
    if not below.is_exact or len(names) != len(below.entries):
        return Columns(tuple((name, below.mixed) for name in names))
    return Columns(tuple((name, lineage) for name, (_, lineage) in zip(names, below.entries, strict=True)))


def _join(follower: Follower, join: "proto.Join") -> Columns:
    left, right = follower.follow(join.left), follower.follow(join.right)
    aliases = left.aliases | right.aliases
    is_left_only = join.JoinType.Name(join.join_type) in LEFT_ONLY
    both = Columns(left.entries if is_left_only else (*left.entries, *right.entries), aliases)
    if not (left.is_exact and (right.is_exact or is_left_only)):
        return both.blur()
    shared = [name.lower() for name in join.using_columns]
    sides = (left,) if is_left_only else (left, right)
    once = [(name, mix(lineage for side in sides for lineage in side.find(name))) for name in shared]
    others = [entry for entry in both.entries if entry[0] not in shared]
    return Columns((*once, *others), aliases)


def _set_operation(follower: Follower, operation: "proto.SetOperation") -> Columns:
    left, right = follower.follow(operation.left_input), follower.follow(operation.right_input)
    is_exact = left.is_exact and right.is_exact
    both = Columns((*left.entries, *right.entries), left.aliases)
    if operation.by_name and is_exact and None not in both.names:
        added = [entry for entry in right.entries if entry[0] not in left.names]
        shared = [(name, mix((lineage, *right.find(name or "")))) for name, lineage in left.entries]
        return Columns((*shared, *added), left.aliases)
    if is_exact and not operation.by_name and len(left.entries) == len(right.entries):
        pairs = zip(left.entries, right.entries, strict=True)
        return Columns(tuple((name, mix((one, other))) for (name, one), (_, other) in pairs), left.aliases)
    return both.blur()


def _map_partitions(follower: Follower, mapped: "proto.MapPartitions | proto.GroupMap") -> Columns:
    """What a Python function makes of rows: any column of it may hold any of them."""
    below = follower.follow(mapped.input)
    made = mapped.func.python_udf.output_type.struct.fields
    if not made:
        return Columns(((None, below.mixed),)).blur()
    return Columns(tuple((field.name.lower(), below.mixed) for field in made))


def _subquery_alias(follower: Follower, alias: "proto.SubqueryAlias") -> Columns:
    if alias.input.WhichOneof("rel_type") == "local_relation" and not alias.input.local_relation.data:
        stands_for = follower.sources.find(alias.alias)
        if stands_for is not None:
            return stands_for
    below = follower.follow(alias.input)
    return Columns(below.entries, below.aliases | {alias.alias.lower()}, below.is_exact)


def _may_be_unnamed(columns: Columns, names: Iterable[str]) -> bool:
    """True when one of the names may be that of a column which the engine named."""
    return bool(columns.unnamed) and any(name not in columns.names for name in names)


UNCHANGED: Final = (
    "filter", "sort", "limit", "offset", "tail", "sample", "hint", "deduplicate", "repartition",
    "repartition_by_expression", "drop_na", "fill_na", "with_watermark", "collect_metrics",
)  # fmt: skip
"""Kinds that choose, order or spread rows and leave their columns."""
RULES: Final[dict[str, Rule]] = {
    "read": _read,
    "local_relation": _local_relation,
    "cached_local_relation": lambda follower, _: follower.sources.made_somehow(),
    "chunked_cached_local_relation": lambda follower, _: follower.sources.made_somehow(),
    "range": _range,
    "project": _project,
    "aggregate": _aggregate,
    "with_columns": _with_columns,
    "with_columns_renamed": _with_columns_renamed,
    "drop": _drop,
    "to_df": _to_df,
    "join": _join,
    "group_map": _map_partitions,
    "set_op": _set_operation,
    "subquery_alias": _subquery_alias,
    "map_partitions": _map_partitions,
}
