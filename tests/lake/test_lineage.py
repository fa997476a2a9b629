"""Every kind of relation and expression: what a column is made from, told by the plan alone."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.errors import ContractError
from jobs.lake.lineage import Risk, mark, read_record

ACCOUNTS, ORDERS, SUBJECTS, PRODUCTS = "vault.customers", "lake.orders", "lake.subjects", "lake.products"
EMAIL, NAME, COUNTRY = f"{ACCOUNTS}.email", f"{ACCOUNTS}.full_name", f"{ACCOUNTS}.country"
ORDER, OF_ORDER = f"{ORDERS}.order_id", f"{ORDERS}.country"


def by_country():
    return Window.partitionBy("country").orderBy("subject_id")


def struct():
    return F.struct(F.col("email").alias("a"), F.col("country").alias("b"))


def document():
    return F.from_json("full_name", "a string, b string")


RELATIONS = {
    "a selected column": (lambda a, _: a.select(F.col("email").alias("x")), {EMAIL}),
    "any case": (lambda a, _: a.select(F.col("EMail").alias("X")), {EMAIL}),
    "a filter leaves columns alone": (lambda a, _: a.where("email > 'a'").select(F.col("country").alias("x")), {COUNTRY}),
    "a made column": (lambda a, _: a.withColumn("x", F.upper("email")), {EMAIL}),
    "a replaced column": (lambda a, _: a.withColumn("email", F.col("country")).select(F.col("email").alias("x")), {COUNTRY}),
    "a renamed column": (lambda a, _: a.withColumnRenamed("email", "x"), {EMAIL}),
    "columns that swap names": (lambda a, _: a.select("email", "country").toDF("y", "x"), {COUNTRY}),
    "what is left of dropped ones": (lambda a, _: a.select("email", F.col("country").alias("x")).drop("email"), {COUNTRY}),
    "a column carried by a join": (lambda a, o: o.join(a, "subject_id", how="left").withColumn("x", F.col("email")), {EMAIL}),
    "a join's own key": (
        lambda a, o: a.join(o, "subject_id").select(F.col("subject_id").alias("x")),
        {f"{ACCOUNTS}.subject_id", f"{ORDERS}.subject_id"},
    ),
    "a column of one of two joined frames": (
        lambda a, o: a.join(o, a["subject_id"] == o["subject_id"]).select(o["order_id"].alias("x")), {ORDER},
    ),
    "a semi-join brings nothing": (lambda a, o: o.join(a, "subject_id", how="left_semi").withColumnRenamed("order_id", "x"), {ORDER}),
    "a cross join": (lambda a, o: o.crossJoin(F.broadcast(a.select("email"))).select(F.col("email").alias("x")), {EMAIL}),
    "a qualified column": (lambda a, o: a.alias("l").join(o.alias("r"), "subject_id").select(F.col("r.order_id").alias("x")), {ORDER}),
    "a union by place": (lambda a, o: o.select(F.col("order_id").alias("x")).union(a.select("email")), {ORDER, EMAIL}),
    "a union by name": (
        lambda a, o: o.select("country", F.col("order_id").alias("x")).unionByName(a.select(F.col("email").alias("x"), "country")),
        {ORDER, EMAIL},
    ),
    "a union with missing columns": (
        lambda a, o: o.select("country").unionByName(a.select(F.col("email").alias("x")), allowMissingColumns=True), {EMAIL},
    ),
    "an aggregate": (lambda a, _: a.groupBy("country").agg(F.max("email").alias("x")), {EMAIL}),
    "a group's key": (lambda a, _: a.groupBy(F.lower("email").alias("x")).count(), {EMAIL}),
    "an aggregate that the engine names": (lambda a, _: a.groupBy("country").agg(F.max("email")).select(F.col("max(email)").alias("x")), {EMAIL}),
    "a count of rows": (lambda a, _: a.groupBy("country").agg(F.count("*").alias("x")), set()),
    "a count of values": (lambda a, _: a.groupBy("country").agg(F.count("email").alias("x")), {EMAIL}),
    "distinct, sorted, cut, spread": (
        lambda a, _: a.select(F.col("email").alias("x")).distinct().sort("x").limit(3).offset(1).repartition(2).hint("broadcast"), {EMAIL},
    ),
    "filled": (lambda a, _: a.select(F.col("email").alias("x")).fillna("nobody").dropDuplicates(["x"]), {EMAIL}),
    "a star": (lambda a, _: a.select("*", F.col("email").alias("x")).drop("email"), {EMAIL}),
    "exploded": (lambda a, _: a.select(F.explode(F.array("email", "country")).alias("x")), {EMAIL, COUNTRY}),
    "exploded with place": (lambda a, _: a.select(F.posexplode(F.array("email")).alias("at", "x")), {EMAIL}),
    "except": (lambda a, _: a.select(F.col("email").alias("x")).exceptAll(a.select("full_name")), {EMAIL, NAME}),
    "what a function makes of groups": (
        lambda a, _: a.select("country", "email").groupBy("country").applyInArrow(lambda rows: rows, "y string, x string"), {EMAIL, COUNTRY},
    ),
    "what a function makes of batches": (
        lambda a, _: a.select("email").mapInArrow(lambda batches: batches, "x string"), {EMAIL},
    ),
    "SQL": (lambda a, _: a.selectExpr("concat('to ', upper(email)) AS x"), {EMAIL}),
}  # fmt: skip
EXPRESSIONS = {
    "a literal": (lambda: F.lit("x"), set()),
    "a concatenation": (lambda: F.concat("email", F.lit("/"), "country"), {EMAIL, COUNTRY}),
    "a cast": (lambda: F.col("email").try_cast("bigint"), {EMAIL}),
    "a condition": (lambda: F.when(F.col("email") == "", F.col("country")), {EMAIL, COUNTRY}),
    "a hash": (lambda: F.xxhash64("email"), {EMAIL}),
    "an unkeyed digest": (lambda: F.sha2("email", 256), {EMAIL}),
    "a field of a struct": (lambda: struct()["b"], {COUNTRY}),
    "a whole struct": (lambda: F.to_json(struct()), {EMAIL, COUNTRY}),
    "a struct through a function": (lambda: F.coalesce(struct(), struct())["b"], {EMAIL, COUNTRY}),
    "a field of a document": (lambda: document()["b"], {f"{NAME}.b"}),
    "a part of an array": (lambda: F.array("email", "country")[1], {EMAIL, COUNTRY}),
    "a lambda's surroundings": (lambda: F.transform(F.array("country"), lambda x: F.concat(x, "email")), {EMAIL, COUNTRY}),
    "a called function": (lambda: F.call_function("luhn_check", F.col("phone")), {f"{ACCOUNTS}.phone"}),
    "a window's maximum": (lambda: F.max("email").over(by_country()), {EMAIL}),
    "the row before": (lambda: F.lag("email").over(by_country()), {EMAIL}),
    "a place in order tells no value": (lambda: F.row_number().over(Window.orderBy("email")), set()),
    "SQL by word": (lambda: F.expr("CASE WHEN country IS NULL THEN email END"), {EMAIL, COUNTRY}),
    "SQL of a struct": (lambda: F.expr("named_struct('a', `email`).a"), {EMAIL}),
}  # fmt: skip


@pytest.fixture(scope="module")
def frames(shared_lake):
    """Accounts and orders, as the lake reads them."""
    return shared_lake.read(ACCOUNTS), shared_lake.read(ORDERS)


def sources(lake, rows, column="x"):
    return {str(trace) for trace in lake.tracer.trace(rows)[column]}


@pytest.mark.parametrize("kind", RELATIONS)
def test_follows_relations(shared_lake, frames, kind):
    make, expected = RELATIONS[kind]
    assert sources(shared_lake, make(*frames)) == expected


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_follows_expressions(shared_lake, frames, kind):
    make, expected = EXPRESSIONS[kind]
    accounts, _ = frames
    assert sources(shared_lake, accounts.select(make().alias("x"))) == expected


def test_an_alias_made_beside_a_column_is_followed(shared_lake, frames):
    accounts, _ = frames
    rows = accounts.withColumn("_y", F.col("email")).withColumn("x", F.concat("_y", "country")).select("x")
    assert sources(shared_lake, rows) == {EMAIL, COUNTRY}


def test_columns_that_only_the_engine_knows_may_hold_anything(shared_lake, frames):
    accounts, _ = frames
    fields = accounts.select(struct().alias("s")).select("s.*")
    assert sources(shared_lake, fields, "b") == {EMAIL, COUNTRY}
    swapped = accounts.select("email", "country").withColumnsRenamed({"email": "country", "country": "email"})
    assert all(traces == {EMAIL, COUNTRY} for traces in (sources(shared_lake, swapped, n) for n in swapped.columns))
    pivoted = accounts.groupBy("subject_bucket").pivot("ads_opt_out", [True]).agg(F.max("email"))
    assert EMAIL in sources(shared_lake, pivoted, "true")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda lake, _: lake.session.sql("SELECT 1 AS order_id"), "relations of the kind sql"),
        (lambda _, a: a.select(F.expr("(SELECT max(1)) AS order_id")), "reads a table"),
        (lambda _, a: a.select(a.colRegex("`cust.*id`")), "expressions of the kind unresolved_regex"),
        (lambda _, a: a.select(a.select("email").limit(1).scalar().alias("order_id")), "kind with_relations"),
    ],
)
def test_what_cannot_be_followed_is_refused_not_passed(shared_lake, frames, make, reason):
    rows = make(shared_lake, frames[0])
    contract = shared_lake.contracts[ORDERS]
    with pytest.raises(
        ContractError, match=rf"^lake\.orders: its columns cannot be followed to their sources: .*{reason}"
    ):
        shared_lake.tracer.check(contract, rows)


def subjects(lake, **changes):
    """Rows of ``lake.subjects`` from accounts; what is not said is null."""
    made = {"subject_id": F.col("subject_id"), "subject_bucket": F.col("subject_bucket"), **changes}
    columns = lake.contracts[SUBJECTS].columns
    return lake.read(ACCOUNTS).select(*(made.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in columns))


def test_a_leak_is_refused_by_table_column_and_source_and_nothing_is_written(lake):
    with pytest.raises(ContractError) as error:
        lake.replace(SUBJECTS, subjects(lake, person_id=F.col("email"), closed_on=F.col("birth_date")))
    first, *leaks = str(error.value).splitlines()
    assert first.startswith("lake.subjects: direct identifiers would reach it without a declared pseudonymisation;")
    assert leaks == [
        "- person_id is made from vault.customers.email",
        "- closed_on is made from vault.customers.birth_date",
    ]
    assert not Path(lake.location(SUBJECTS)).exists()


def test_what_is_declared_may_go_and_only_that(lake):
    declared = mark(F.sha2("email", 256), "keyed digest")
    lake.replace(SUBJECTS, subjects(lake, person_id=F.substring(declared, 1, 32)))
    lake.replace(SUBJECTS, subjects(lake, person_id=F.max(declared).over(by_country())))
    with pytest.raises(ContractError, match=r"- person_id is made from vault\.customers\.email$"):
        lake.replace(SUBJECTS, subjects(lake, person_id=F.concat(declared, "email")))


def test_a_reversible_digest_goes_only_where_that_is_accepted(lake):
    rows = subjects(lake, person_id=mark(F.sha2("email", 256), "unkeyed digest", is_reversible=True))
    contract = lake.contracts[SUBJECTS]
    with pytest.raises(ContractError, match=r"- person_id is made from vault\.customers\.email via unkeyed digest$"):
        lake.tracer.check(contract, rows)
    lake.tracer.check(contract, rows, accepts_reversible=True)
    with pytest.raises(ContractError, match="- person_id is made from"):
        lake.tracer.check(contract, subjects(lake, person_id=F.col("email")), accepts_reversible=True)


def test_a_digest_of_a_keyed_digest_is_as_good_as_keyed(lake):
    keyed = mark(F.sha2("email", 256), "keyed digest")
    twice = mark(F.sha2(keyed, 256), "unkeyed digest", is_reversible=True)
    lake.tracer.check(lake.contracts[SUBJECTS], subjects(lake, person_id=twice))


def test_a_stored_reversible_digest_is_still_one(lake):
    held = lake.read("vault.platform_members").select(F.col("ad_id").alias("x"))
    (trace,) = lake.tracer.trace(held)["x"]
    assert trace.risk is Risk.REVERSIBLE


def test_a_declaration_leaves_the_values_as_they_are(engine):
    rows = engine.session.createDataFrame([("a", None), ("b", 2)], "s string, n int")
    declared = rows.select(*(mark(F.col(name), "x").alias(name) for name in rows.columns))
    assert declared.collect() == rows.collect()
    assert declared.schema == rows.schema


def test_free_text_is_as_good_as_a_direct_identifier(lake):
    texts = lake.read("landing.returns")
    order = lake.read(ORDERS)
    rows = order.join(texts.select("order_id", F.col("reason").alias("_r")), "order_id", how="left")
    leaking = rows.withColumn("status", F.col("_r")).select(*order.columns)
    with pytest.raises(ContractError, match=r"- status is made from landing\.returns\.reason$"):
        lake.replace(ORDERS, leaking)


@pytest.mark.parametrize("size", [0, 3])
def test_rows_kept_in_scratch_bring_their_sources_along(lake, size):
    lake.replace(PRODUCTS, products(lake, size))
    accounts = lake.read(ACCOUNTS).select("customer_id", F.col("email").alias("y"))
    beside = lake.read(PRODUCTS).join(accounts, F.col("product_id") == F.col("customer_id"), how="left")
    with lake.scratch(beside) as one, lake.scratch(one.frame.withColumnRenamed("y", "z")) as two:
        assert two.rows == size
        assert sources(lake, two.frame, "z") == {EMAIL}
        assert sources(lake, two.frame, "name") == {f"{PRODUCTS}.name"}
    assert {trace.risk for trace in lake.tracer.trace(two.frame)["z"]} == {Risk.DIRECT}


def test_staged_rows_are_those_of_their_table(lake):
    staged = lake.stage(PRODUCTS, products(lake, 2))
    assert sources(lake, lake.staged_frame(staged), "name") == {f"{PRODUCTS}.name"}


def test_rows_the_program_made_are_told_by_their_names(lake):
    names = ["day", "email", "_limit"]
    rows = lake.session.createDataFrame([("a", "b", 1)], names)
    risks = {name: trace.risk for name, (trace,) in lake.tracer.trace(rows).items()}
    assert risks == {"day": Risk.NONE, "email": Risk.DIRECT, "_limit": Risk.DIRECT}
    assert sources(lake, lake.session.range(3), "id") == set()


def test_files_outside_the_lake_may_hold_anything(lake, tmp_path):
    lake.session.range(2).write.parquet(str(tmp_path / "impressions"))
    rows = lake.session.read.parquet(str(tmp_path / "impressions"))
    (trace,) = lake.tracer.trace(rows)["id"]
    assert trace.risk is Risk.DIRECT


def test_only_landing_and_ledger_take_rows_without_a_plan(lake):
    batches = pa.Table.from_pylist([], lake.contracts[SUBJECTS].arrow_schema()).to_reader()
    with pytest.raises(ContractError, match=r"lake\.subjects: only landing, vault, ledger take Arrow batches"):
        lake.replace_batches(SUBJECTS, batches, partitions=[])


def lookalikes():
    """Two columns that differ only behind a name given within a window function."""
    return (F.last(F.struct(F.col(name).alias("v"))).over(by_country())["v"] for name in ("subject_id", "person_id"))


def test_window_functions_that_the_engine_would_take_for_one_are_refused(lake):
    first, second = lookalikes()
    with pytest.raises(ContractError, match=r"^lake\.subjects: .* the embedded engine would take them for one"):
        lake.replace(SUBJECTS, subjects(lake, person_id=second, circle_id=first))
    lake.tracer.check(lake.contracts[SUBJECTS], subjects(lake, person_id=second))


def test_the_embedded_engine_does_take_them_for_one(engine):
    rows = engine.session.createDataFrame([("s", "p", "DE")], "subject_id string, person_id string, country string")
    first, second = lookalikes()
    assert rows.select(first.alias("one"), second.alias("two")).collect() == [("s", "s")]


def test_a_commit_keeps_names_and_a_later_one_of_the_table_itself_does_not_hide_them(lake):
    lake.replace(SUBJECTS, subjects(lake, person_id=mark(F.sha2("email", 256), "keyed digest")))
    lake.replace(SUBJECTS, lake.read(SUBJECTS).where("person_id is not null"))
    record = read_record(lake.history(SUBJECTS))
    assert [str(trace) for trace in record["person_id"]] == ["vault.customers.email via keyed digest"]
    assert record["country"] == ()
    log = Path(lake.location(SUBJECTS), "_delta_log")
    kept = [json.loads(line) for path in log.glob("*.json") for line in path.read_text().splitlines()]
    assert sum("lineage" in entry.get("commitInfo", {}) for entry in kept) == 1


def products(lake, size):
    names = lake.contracts[PRODUCTS].column_names
    rows = lake.session.range(size).select(F.col("id").cast("string").alias("product_id"), F.lit("n").alias("name"))
    fixed = {"category_path": F.lit("A"), "category": F.lit("A"), "is_merchandise": F.lit(True)}
    filled = rows.withColumns(
        {**fixed, "unit_price": F.lit(1).cast("decimal(12,2)"), "updated_at": F.timestamp_micros(F.lit(0))}
    )
    return filled.select(*names)
