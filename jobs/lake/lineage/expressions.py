"""The sources of an expression's value, over the columns of the relation it is computed from."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from jobs.lake.lineage.lookalikes import check_windows
from jobs.lake.lineage.traces import NOTHING, Columns, Entry, Lineage, UnfollowableError, mix, read_mark

if TYPE_CHECKING:
    from pyspark.sql.connect.proto import Expression

PART: Final = re.compile(r"`((?:[^`]|``)*)`|([^.`]+)")
GENERATORS: Final = re.compile(r"(?i)\b(?:(?:pos)?explode|inline|variant_explode|stack|json_tuple)(?:_outer)?\b")
SQL_SUBQUERY: Final = re.compile(r"(?i)\b(?:select|from|table|values)\b")
SQL_STAR: Final = re.compile(r"(?:^|[(,.])\s*\*")
SQL_COUNT: Final = re.compile(r"(?i)\bcount\s*\(\s*\*\s*\)")
SQL_ALIAS: Final = re.compile(r"(?i)\bas\s+`?([a-z_][a-z0-9_]*)`?\s*$")


@dataclass(frozen=True)
class Scope:
    """What names in an expression may mean.

    Attributes:
        columns: of the relation below.
        plans: columns of every relation below, by the number that a frame's own columns name it with.
        earlier: columns that the same projection made already.
        windows: window functions that were met.
    """

    columns: Columns
    plans: Mapping[int, Columns] = field(default_factory=dict)
    earlier: tuple[Entry, ...] = ()
    windows: list["Expression.Window"] = field(default_factory=list)

    def resolve(self, identifier: str, plan: int | None = None) -> Lineage:
        """What a name may stand for, all readings together.

        Raises:
            UnfollowableError: nothing has that name.
        """
        parts = split_identifier(identifier)
        found = _match(self.columns, parts)
        if plan is not None and plan in self.plans:
            found = [*found, *_match(self.plans[plan], parts)]
        found = found or _match(Columns(self.earlier), parts) or self.columns.unnamed
        if not found:
            message = f"there is no column {identifier}"
            raise UnfollowableError(message)
        return found[0] if len(found) == 1 else mix(found)


def split_identifier(identifier: str) -> list[str]:
    """The parts of a dotted name in lower case, without their backticks."""
    return [(quoted.replace("``", "`") or plain).lower() for quoted, plain in PART.findall(identifier)]


def follow(expression: "Expression", scope: Scope) -> Lineage:
    """Where an expression's value comes from.

    Raises:
        UnfollowableError: it holds something whose sources cannot be told.
    """
    kind = expression.WhichOneof("expr_type") or "nothing"
    if kind == "literal":
        return NOTHING
    if kind in PARTS:
        return mix(follow(part, scope) for part in PARTS[kind](expression))
    if kind in RULES:
        return RULES[kind](expression, scope)
    message = f"expressions of the kind {kind} are not followed"
    raise UnfollowableError(message)


def follow_outputs(expressions: Iterable["Expression"], below: Scope) -> Columns:
    """The columns that a list of expressions makes."""
    entries: list[Entry] = []
    is_exact = True
    for expression in expressions:
        scope = replace(below, earlier=tuple(entries))
        made, is_known = _follow_output(expression, scope)
        entries += made
        is_exact = is_exact and is_known
    check_windows(below.windows)
    columns = Columns(tuple(entries), below.columns.aliases)
    return columns if is_exact else columns.blur()


def _follow_output(expression: "Expression", scope: Scope) -> tuple[list[Entry], bool]:
    """Columns that one expression makes, and whether they are all of them and in order."""
    kind = expression.WhichOneof("expr_type")
    text = expression.expression_string.expression.strip() if kind == "expression_string" else ""
    if kind == "unresolved_star" or text == "*":
        return _spread_star(expression, scope)
    lineage = follow(expression, scope)
    if kind == "alias":
        return [(name.lower(), lineage) for name in expression.alias.name], True
    is_generator = bool(GENERATORS.search(text or expression.unresolved_function.function_name))
    return [(_name_output(expression), lineage)], not is_generator and not SQL_STAR.search(SQL_COUNT.sub("", text))


def _spread_star(expression: "Expression", scope: Scope) -> tuple[list[Entry], bool]:
    star = expression.unresolved_star
    columns = scope.plans.get(star.plan_id, scope.columns) if star.HasField("plan_id") else scope.columns
    if star.HasField("unparsed_target"):
        return [(None, columns.mixed)], False
    return list(columns.entries), columns.is_exact


def _name_output(expression: "Expression") -> str | None:
    """The name of a column that was given none; none where the engine makes one up."""
    kind = expression.WhichOneof("expr_type")
    if kind == "unresolved_attribute":
        return split_identifier(expression.unresolved_attribute.unparsed_identifier)[-1]
    if kind == "cast":
        return _name_output(expression.cast.expr)
    if kind == "expression_string":
        text = expression.expression_string.expression
        alias = SQL_ALIAS.search(text)
        name = alias[1] if alias else text.strip()
        return name.lower() if alias or name.isidentifier() else None
    return None


def _follow_attribute(expression: "Expression", scope: Scope) -> Lineage:
    attribute = expression.unresolved_attribute
    plan = attribute.plan_id if attribute.HasField("plan_id") else None
    return scope.resolve(attribute.unparsed_identifier, plan)


def _follow_window(expression: "Expression", scope: Scope) -> Lineage:
    scope.windows.append(expression.window)
    return follow(expression.window.window_function, scope)


def _follow_function(expression: "Expression", scope: Scope) -> Lineage:
    function = expression.unresolved_function
    arguments = function.arguments
    name = function.function_name.lower()
    if name == "count" and [argument.WhichOneof("expr_type") for argument in arguments] == ["unresolved_star"]:
        return NOTHING
    parts = [follow(argument, scope) for argument in arguments]
    whole = mix(parts)
    mark = read_mark(function)
    if mark:
        return whole.after(*mark)
    if name == "from_json":
        return Lineage(whole.traces, is_document=True)
    if name == "struct":
        names = [argument.alias.name[0] if argument.alias.name else _name_output(argument) for argument in arguments]
        fields = {n.lower(): part for n, part in zip(names, parts, strict=True) if n}
        return Lineage(whole.traces, fields if len(fields) == len(parts) else {})
    return whole


def _follow_extraction(expression: "Expression", scope: Scope) -> Lineage:
    value = expression.unresolved_extract_value
    child = follow(value.child, scope)
    if value.extraction.literal.HasField("string"):
        return child.part(value.extraction.literal.string.lower())
    return mix((child, follow(value.extraction, scope)))


def _follow_text(text: str, scope: Scope) -> Lineage:
    """All columns whose names occur in an expression written as SQL, be it within another word."""
    if SQL_SUBQUERY.search(text):
        message = "an expression written as SQL reads a table, or looks like it"
        raise UnfollowableError(message)
    columns = scope.columns
    if not columns.is_exact or SQL_STAR.search(SQL_COUNT.sub("", text)):
        return columns.mixed
    written = text.lower().replace("``", "`")
    entries = (*columns.entries, *scope.earlier)
    return mix(lineage for name, lineage in entries if name is None or name in written)


def _match(columns: Columns, parts: list[str]) -> list[Lineage]:
    """Every reading of a dotted name: a column, a qualified column, either with fields of a struct."""
    found = columns.find(".".join(parts)) if len(parts) > 1 else []
    readings = [parts]
    if len(parts) > 1 and parts[0] in columns.aliases:
        readings.append(parts[1:])
    for name, *path in readings:
        for lineage in columns.find(name):
            part = lineage
            for step in path:
                part = part.part(step)
            found.append(part)
    return found


PARTS: Final[dict[str, "Callable[[Expression], Iterable[Expression]]"]] = {
    "unresolved_named_lambda_variable": lambda _: (),
    "cast": lambda e: [e.cast.expr],
    "sort_order": lambda e: [e.sort_order.child],
    "lambda_function": lambda e: [e.lambda_function.function],
    "update_fields": lambda e: [e.update_fields.struct_expression, e.update_fields.value_expression],
    "named_argument_expression": lambda e: [e.named_argument_expression.value],
    "call_function": lambda e: e.call_function.arguments,
    "common_inline_user_defined_function": lambda e: e.common_inline_user_defined_function.arguments,
}
"""Kinds whose value is made from nothing but these parts; a lambda's variable holds parts of the other arguments."""
RULES: Final[dict[str, "Callable[[Expression, Scope], Lineage]"]] = {
    "unresolved_attribute": _follow_attribute,
    "alias": lambda e, scope: follow(e.alias.expr, scope),
    "window": _follow_window,
    "unresolved_function": _follow_function,
    "unresolved_extract_value": _follow_extraction,
    "unresolved_star": lambda _, scope: scope.columns.mixed,
    "expression_string": lambda e, scope: _follow_text(e.expression_string.expression, scope),
}
