"""Random frames over two small tables of values that tell where they come from, for properties of lineage."""

import re

from hypothesis import strategies as st
from pyspark.errors import PySparkException
from pyspark.sql import Window
from pyspark.sql import functions as F

TOKEN = re.compile(r"<([a-z_]+)\.\d>", re.IGNORECASE)
LEFT, RIGHT = ("email", "phone", "city"), ("email", "street", "name")


def tables(session):
    """Two tables with a key ``k`` and three columns, ``email`` being in both; every value names its table's column."""
    left = [(f"k{n}", *(f"<l_{name}.{n}>" if n != 2 else None for name in LEFT)) for n in range(4)]
    right = [(f"k{n % 3}", *(f"<r_{name}.{n}>" for name in RIGHT)) for n in range(4)]
    one = session.createDataFrame(left, ", ".join(f"{name} string" for name in ("k", *(f"l_{n}" for n in LEFT))))
    two = session.createDataFrame(right, ", ".join(f"{name} string" for name in ("k", *(f"r_{n}" for n in RIGHT))))
    return tuple(rows.withColumnsRenamed({n: n[2:] for n in rows.columns[1:]}) for rows in (one, two))


class Builder:
    """Draws steps and applies them to a frame."""

    def __init__(self, draw, bases):
        self.draw = draw
        self.bases = bases

    def pick(self, options):
        return self.draw(st.sampled_from(list(options)))

    def column(self, rows, depth=2):
        """An expression that gives text."""
        names = rows.columns
        name, other, third = (self.pick(names) for _ in range(3))
        if depth == 0:
            return self.pick([F.col(name), rows[name], F.expr(f"`{name}`")])
        one, two = self.column(rows, depth - 1), self.column(rows, depth - 1)
        by_key = Window.partitionBy(names[0]).orderBy(*names)
        pair = F.struct(one.alias("x"), two.alias("y"))
        forms = {
            "plain": lambda: one,
            "concat": lambda: F.concat_ws("-", one, two),
            "coalesce": lambda: F.coalesce(one, two),
            "when": lambda: F.when(one.isNull(), two).otherwise(F.lit("none")),
            "condition": lambda: F.when(F.col(name) == F.col(other), F.col(third)),
            "field": lambda: pair["x"],
            "get field": lambda: pair.getField("y"),
            "json": lambda: F.to_json(pair),
            "read json": lambda: F.from_json(F.to_json(pair), "x string, y string")["y"],
            "json path": lambda: F.get_json_object(F.to_json(pair), "$.x"),
            "sql": lambda: F.expr(f"concat_ws('/', `{name}`, `{other}`)"),
            "sql case": lambda: F.expr(f"CASE WHEN `{name}` IS NULL THEN `{other}` ELSE upper(`{third}`) END"),
            "array": lambda: F.element_at(F.array(one, two), 2),
            "lambda": lambda: F.array_join(F.transform(F.array(one, two), lambda v: F.concat_ws("+", v, other)), ","),
            "aggregate": lambda: F.aggregate(F.array(one, two), F.lit(""), lambda a, v: F.concat_ws("", a, v)),
            "cast": lambda: one.cast("string"),
            "replace": lambda: F.regexp_replace(one, "zzz", ""),
            "window": lambda: F.max(name).over(Window.partitionBy(names[0])),
            "lag": lambda: F.lag(other).over(by_key),
            "last": lambda: F.last(F.struct(F.col(name).alias("v"))).over(by_key)["v"],
            "rank": lambda: F.row_number().over(by_key).cast("string"),
        }
        return forms[self.pick(forms)]()

    def step(self, rows):
        """The frame after one more step."""
        names = rows.columns
        name, other = self.pick(names), self.pick(names)
        new = self.pick(["n1", "n2", name])
        base = self.pick(self.bases)
        shuffled = self.draw(st.permutations(names))
        keys = [names[0]]
        forms = {
            "select": lambda: rows.select(*self.few(names), self.column(rows).alias("made")),
            "select again": lambda: rows.select(F.col(name).alias("was"), self.column(rows).alias("made"), F.col(other)),
            "with column": lambda: rows.withColumn(new, self.column(rows)),
            "with columns": lambda: rows.withColumns({new: self.column(rows), "n3": self.column(rows)}),
            "rename": lambda: rows.withColumnRenamed(name, "renamed"),
            "rename all": lambda: rows.withColumnsRenamed({name: "renamed", other: "other"}),
            "number": lambda: rows.toDF(*(f"c{number}" for number in range(len(names)))),
            "drop": lambda: rows.drop(*names[1:2]) if len(names) > 2 else rows,
            "drop own": lambda: rows.drop(rows[names[-1]]) if len(names) > 2 else rows,
            "filter": lambda: rows.where(f"`{name}` is not null"),
            "sort": lambda: rows.sort(*names).limit(5),
            "distinct": rows.distinct,
            "first of": lambda: rows.dropDuplicates(keys),
            "union": lambda: rows.union(rows.select(*shuffled)),
            "union by name": lambda: rows.unionByName(rows.select(*shuffled)),
            "union missing": lambda: rows.unionByName(base.select(*base.columns[:2]), allowMissingColumns=True),
            "except": lambda: rows.exceptAll(rows.limit(1)),
            "join": lambda: self.join(rows, base),
            "group": lambda: rows.groupBy(*keys).agg(*self.aggregates(rows)),
            "group by made": lambda: rows.groupBy(self.column(rows, 1).alias("made")).agg(F.count(F.lit(1)).cast("string").alias("n")),
            "unnamed": lambda: rows.groupBy(*keys).agg(F.max(name)).withColumnRenamed(f"max({name})", "most"),
            "explode": lambda: rows.withColumn("item", F.explode(F.array(name, other))),
            "explode two": lambda: rows.select(*keys, F.posexplode(F.array(name, other)).alias("at", "item")).drop("at"),
            "sql columns": lambda: rows.selectExpr(*keys, f"upper(`{name}`) AS big", f"`{other}`"),
            "alias": lambda: rows.alias("t").select(F.col(f"t.{keys[0]}"), F.col(f"t.{name}").alias("of_t")),
            "fill": lambda: rows.fillna("nothing"),
            "nested": lambda: rows.select(F.struct(*names).alias("all")).select(f"all.{name}", "all.*"),
            "star": lambda: rows.select("*", F.col(name).alias("again")),
        }  # fmt: skip
        return forms[self.pick(forms)]()

    def join(self, rows, base):
        """The frame beside one of the tables."""
        key = self.pick(rows.columns)
        right = base.toDF(*(f"j_{name}" for name in base.columns))
        how = self.pick(["inner", "left", "full", "left_semi", "left_anti"])
        if self.draw(st.booleans()):
            return rows.join(base.withColumnRenamed("k", key), on=key, how=how)
        return rows.join(right, on=rows[key] == right["j_k"], how=how)

    def aggregates(self, rows):
        """Aggregates that give text."""
        name, other = self.pick(rows.columns[1:] or rows.columns), self.pick(rows.columns)
        forms = [
            F.max(name).alias("g1"),
            F.array_join(F.sort_array(F.collect_list(name)), ",").alias("g2"),
            F.min(F.struct(other, name))[name].alias("g3") if other != name else F.min(name).alias("g3"),
            F.first(self.column(rows, 1)).alias("g4"),
            F.max(F.when(F.col(other).isNotNull(), F.col(name))).alias("g5"),
        ]
        return self.few(forms)

    def few(self, options):
        size = self.draw(st.integers(1, min(3, len(options))))
        return self.draw(st.permutations(list(options)))[:size]


@st.composite
def plans(draw, bases, *, steps=6):
    """A frame made in up to ``steps`` random steps from one of the tables."""
    builder = Builder(draw, bases)
    rows = builder.pick(bases)
    for _ in range(draw(st.integers(1, steps))):
        rows = accept(rows, builder.step)
    return rows


def accept(rows, step):
    """The frame after a step, or before it where the engine refuses the step; equal names are told apart."""
    try:
        after = step(rows)
        names = after.columns
    except PySparkException:
        return rows
    is_distinct = len({name.lower() for name in names}) == len(names)
    return after if is_distinct else after.toDF(*(f"d{number}" for number in range(len(names))))


def values_by_column(rows):
    """For each column, in order, the columns that its values name."""
    arrow = rows.toArrow()
    found = []
    for number in range(arrow.num_columns):
        texts = " ".join(str(value) for value in arrow.column(number).to_pylist())
        found.append({source.lower() for source in TOKEN.findall(texts)})
    return found
