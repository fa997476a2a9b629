"""The suites of neighbours and of people's lists: every rule broken on purpose, and what its severity does."""

from datetime import timedelta

import pytest
from pyspark.sql import functions as F

from jobs.errors import GateError
from jobs.lake import Days
from jobs.marts import also_bought, also_viewed, recently_viewed, recommended_for_you
from jobs.quality import check_table, gate
from tests.marts.tables import DAY, at, click, fill, line, name_person, order, product, pseudonym, subject
from tests.quality.planted import at_place, failures, hold_up, list_rules, nothing, twice, without

BOUGHT, VIEWED, RECENT, OWN = (
    f"marts.{name}" for name in ("also_bought", "also_viewed", "recently_viewed", "recommended_for_you")
)
STEPS = {BOUGHT: also_bought, VIEWED: also_viewed, RECENT: recently_viewed, OWN: recommended_for_you}
GOODS = [f"p{n:02}" for n in range(40)]
BUYERS, VISITORS = 5, 60
OUT, GONE = "out", "gone"


def look_at_everything(who, number, *, day=DAY):
    return [click(who, name, number * 7 % 300 + n, day=day) for n, name in enumerate(GOODS)]


def step_run(table, day, rows):
    return {"day": day, "run_id": f"{table}{day}", "step": table, "first_day": day, "rows_out": rows}


@pytest.fixture(scope="module")
def lists(shared_lake):
    """A day of a shop in which many look at forty products and some buy them, with ten days of runs behind it."""
    lake = shared_lake
    clicks = [row for n in range(VISITORS) for row in look_at_everything(f"s{n}", n)]
    clicks += look_at_everything(OUT, 1) + look_at_everything(GONE, 2)
    lines = [
        line(f"o{n}", name, subject=f"s{n}") | {"ordered_at": at(DAY, n * 200)} for n in range(BUYERS) for name in GOODS
    ]
    fill(lake, "lake.clicks", clicks)
    fill(lake, "lake.order_lines", lines)
    fill(lake, "lake.orders", [order(f"o{n}") for n in range(BUYERS)])
    fill(lake, "lake.products", [*map(product, GOODS), product("POST", is_merchandise=False)])
    people = [subject(f"s{n}") for n in range(VISITORS)]
    odd = [
        subject(OUT, personalisation_opt_out=True),
        subject(GONE, closed_on=DAY),
        subject("late"),
        subject("back", personalisation_opt_out=True),
    ]
    fill(lake, "lake.subjects", [row | {"person_id": row["subject_id"]} for row in [*people, *odd]])
    choice = {"purpose": "personalisation", "asked_at": at(DAY)}
    fill(
        lake,
        "ledger.choices",
        [choice | {"subject_id": "late", "is_opt_out": True}, choice | {"subject_id": "back", "is_opt_out": False}],
    )
    for step in STEPS.values():
        step.run(lake, Days.single(DAY))
    runs = [step_run(table, DAY - timedelta(n), lake.count(table)) for table in STEPS for n in range(1, 11)]
    failed = [step_run(table, DAY - timedelta(n), None) for table in STEPS for n in range(11, 21)]
    fill(lake, "ledger.step_runs", [*runs, *failed])
    return lake


@pytest.mark.parametrize("table", STEPS)
def test_good_lists_pass(lists, table):
    assert lists.count(table) > 1000
    assert failures(lists, table) == {}


def of_person(name, **odd):
    """Rows with one more that is another person's."""

    def change(rows):
        new = rows.limit(1).withColumns({key: F.lit(value) for key, value in {**name_person(name), **odd}.items()})
        return rows.unionByName(new.select([F.col(f.name).cast(f.dataType) for f in rows.schema.fields]))

    return change


def grow(times):
    """Rows so many times, each time of other products."""

    def change(rows):
        parts = [rows.withColumn("product_id", F.concat("product_id", F.lit(f"-{n}"))) for n in range(times - 1)]
        for part in parts:
            rows = rows.unionByName(part)
        return rows

    return change


ONE_PAIR = "product_id = 'p00' and other_product_id = 'p01'"
FIRST = "product_id = 'p00' and rank = 1"
OF_ONE = f"subject_id = '{pseudonym('s30')}'"
OWN_FIRST = f"{OF_ONE} and rank = 1"
IN_SIXTEENTH = "subject_bucket < 16"
EARLIER = at_place("true", as_of=DAY - timedelta(5))
LOST = "the table has not lost nine tenths of its rows since the last one"


def defects_of_any(first, word, ranks, *, most):
    """Defects that every table of lists may have; ``first`` is one row, ``most`` nearly all ranks."""
    return {
        "there are rows": (nothing, "warning"),
        LOST: (without("rank > 1"), "critical"),
        "the table has between half and twice the rows of the last one": (without("rank > 8"), "warning"),
        "the rows lie within four standard deviations of the 28 days before": (without(f"rank > {most}"), "warning"),
        "as_of is filled": (at_place(first, as_of=None), "critical"),
        "as_of is the same in all rows": (at_place(first, as_of=DAY - timedelta(1)), "warning"),
        f"the table is no more than two days older than the newest {word}": (EARLIER, "warning"),
        "no product is missing in the catalogue": (at_place(first, product_id="zz"), "warning"),
        "product_id is filled": (at_place(first, product_id=None), "critical"),
        "product_id holds no e-mail address": (at_place(first, product_id="jo@example.com"), "critical"),
        "product_id is no pseudonym, phone or card number": (at_place(first, product_id=pseudonym("jo")), "critical"),
        f"rank is {ranks}": (at_place(first, rank=0), "critical"),
    }


def pair_defects(people, baskets, word, postage):
    return defects_of_any(FIRST, word, "1 or more", most=30) | {
        "a pair of products stands once": (twice(ONE_PAIR), "critical"),
        "every place in a product's list is given once": (at_place("product_id = 'p00' and rank = 2", rank=1), "critical"),
        "places of a product's list go from 1 to its last without a gap": (without("product_id = 'p00' and rank = 2"), "critical"),
        "a better place has no lower score": (at_place(FIRST, score=0.0), "critical"),
        "a pair has the same people whichever of the two one asks about": (at_place(ONE_PAIR, **{people: 4}), "critical"),
        "no list holds postage, fees or what else is no merchandise": (at_place(ONE_PAIR, other_product_id="POST"), postage),
        "score is between 0 and 1": (at_place(FIRST, score=1.5), "critical"),
        f"{baskets} are 1 or more": (at_place(ONE_PAIR, **{baskets: 0}), "critical"),
        f"{people} are 2 or more": (at_place(ONE_PAIR, **{people: 1}), "critical"),
        f"{baskets} are at least as many as {people}": (at_place(ONE_PAIR, **{people: 9999}), "warning"),
        "no product is paired with itself": (at_place(ONE_PAIR, other_product_id="p00"), "critical"),
        "other_product_id is filled": (at_place(ONE_PAIR, other_product_id=None), "critical"),
        "other_product_id holds no e-mail address": (at_place(ONE_PAIR, other_product_id="jo@example.com"), "critical"),
        "other_product_id is no pseudonym, phone or card number": (at_place(ONE_PAIR, other_product_id="4111111111111111"), "critical"),
    }  # fmt: skip


def people_defects(first, opted_out):
    return defects_of_any(OWN_FIRST, "click", "between 1 and 20", most=18) | {
        "a product stands once in a person's list": (at_place(f"{OF_ONE} and rank < 3", product_id="p39"), "critical"),
        "places of a list go from 1 to its last without a gap, each given once": (without(f"{OF_ONE} and rank = 2"), "critical"),
        "subject_id is a pseudonym of 32 lowercase hex digits": (at_place(OWN_FIRST, subject_id="jo@example.com"), "critical"),
        "subject_id is filled": (at_place(OWN_FIRST, subject_id=None), "critical"),
        "subject_bucket is between 0 and 255": (at_place(OWN_FIRST, subject_bucket=256), "critical"),
        "subject_bucket is the one that follows from subject_id": (at_place(OWN_FIRST, subject_bucket="= pmod(subject_bucket + 1, 256)"), "critical"),
        "nobody whose account is closed has a list": (of_person(GONE), "critical"),
        opted_out: (of_person(OUT, **first), "critical"),
        "no list holds postage, fees or what else is no merchandise": (at_place(OWN_FIRST, product_id="POST"), "warning"),
    }  # fmt: skip


NOT_OWN = "nobody who opted out of personalisation has a list of their own"
NOT_ANY = "nobody who opted out of personalisation has a list"
DEFECTS = {
    BOUGHT: pair_defects("buyers", "orders", "order", "critical") | {
        "completion is between 0 and 1 where there is one": (at_place(FIRST, completion=2.0), "critical"),
        "completion is there for all pairs or for none": (at_place(FIRST, completion=None), "critical"),
    },
    VIEWED: pair_defects("viewers", "sessions", "click", "warning"),
    RECENT: people_defects({}, NOT_ANY) | {
        "viewed_at is filled": (at_place(OWN_FIRST, viewed_at=None), "critical"),
        "viewed_at lies within the thirty days up to as_of": (at_place(OWN_FIRST, viewed_at="= viewed_at + interval 2 days"), "critical"),
        "a better place was viewed no earlier, seen in a sixteenth of the people": (at_place(f"{IN_SIXTEENTH} and rank = 1", viewed_at="= viewed_at - interval 9 hours"), "critical"),
    },
    OWN: people_defects({"reason": "also_viewed"}, NOT_OWN) | {
        "score is 0 or more": (at_place(OWN_FIRST, score=-0.1), "critical"),
        "the score of what is popular is at most 1": (at_place(OWN_FIRST, score=1.1, reason="popular"), "critical"),
        "reason is also_bought, also_viewed or popular": (at_place(OWN_FIRST, reason="whim"), "critical"),
        "every reason has its table": (at_place(OWN_FIRST, reason="whim"), "critical"),
        "own products lead before popular ones, each by score, seen in a sixteenth of the people": (at_place(f"{IN_SIXTEENTH} and rank = 1", score=0.0), "critical"),
        "lists have at least half the share of personal places of the last ones": (at_place("subject_bucket > 20", reason="popular"), "warning"),
    },
}  # fmt: skip
RULES = [(table, rule) for table, defects in DEFECTS.items() for rule in defects]


@pytest.mark.parametrize("table", STEPS)
def test_every_rule_has_its_defect_and_its_severity(lists, table):
    assert list_rules(lists, table) == {rule: severity for rule, (_, severity) in DEFECTS[table].items()}


@pytest.mark.parametrize(("table", "rule"), RULES)
def test_a_defect_is_found_and_stops_the_table_only_where_that_is_said(lists, tmp_path, table, rule):
    change, severity = DEFECTS[table][rule]
    state = {"critical": "blocked", "warning": "warnings"}[severity]
    assert hold_up(lists, table, change, rule, tmp_path) == (severity, state)


def test_a_reason_whose_table_is_empty_is_found(lists):
    rule, bought = "every reason has its table", lists.read(BOUGHT).toArrow()
    told = at_place(OWN_FIRST, reason="also_bought")
    assert failures(lists, OWN, told, only=rule) == {}
    fill(lists, BOUGHT, [])
    try:
        assert failures(lists, OWN, told, only=rule) == {rule: "critical"}
    finally:
        lists.replace(BOUGHT, lists.session.createDataFrame(bought, lists.contracts[BOUGHT].engine_schema()))


@pytest.mark.parametrize("table", sorted(set(STEPS) - {BOUGHT}))
def test_runs_that_failed_are_no_days_of_a_mean(lists, table):
    """Six days are too few to judge by, and failed ones beside them make them no more."""
    rule, runs = "the rows lie within four standard deviations of the 28 days before", lists.read("ledger.step_runs")
    kept = runs.toArrow()
    few = [step_run(table, DAY - timedelta(n), 10 if n < 7 else None) for n in range(1, 21)]
    fill(lists, "ledger.step_runs", few)
    try:
        assert failures(lists, table, lambda rows: rows, only=rule) == {}
        fill(lists, "ledger.step_runs", [*few, step_run(table, DAY - timedelta(7), 10)])
        assert failures(lists, table, lambda rows: rows, only=rule) == {rule: "warning"}
    finally:
        lists.replace(
            "ledger.step_runs", lists.session.createDataFrame(kept, lists.contracts["ledger.step_runs"].engine_schema())
        )


def test_a_choice_counts_from_the_day_it_was_made_and_a_newer_consent_lifts_an_older_no(lists):
    late, back = of_person("late", reason="also_viewed"), of_person("back", reason="also_viewed")
    assert failures(lists, OWN, late, only=NOT_OWN) == {NOT_OWN: "critical"}
    assert failures(lists, OWN, lambda rows: EARLIER(late(rows)), only=NOT_OWN) == {}
    assert failures(lists, OWN, back, only=NOT_OWN) == {}
    assert failures(lists, OWN, of_person(OUT, reason="popular"), only=NOT_OWN) == {}


def test_products_of_the_catalogue_may_be_called_by_long_numbers(lists):
    known = lists.read("lake.products").collect()
    ean, hexadecimal = "4006381333931", pseudonym("a product")
    fill(lists, "lake.products", [*(row.asDict() for row in known), product(ean), product(hexadecimal)])
    rule = "product_id is no pseudonym, phone or card number"
    for product_id in (ean, hexadecimal):
        assert failures(lists, BOUGHT, at_place(FIRST, product_id=product_id), only=rule) == {}
    fill(lists, "lake.products", [row.asDict() for row in known])


def test_an_older_day_run_again_is_not_held_against_the_last_table(lists):
    few = without("rank > 1")
    assert failures(lists, OWN, lambda rows: EARLIER(few(rows)), only=LOST) == {}


@pytest.mark.parametrize("table", STEPS)
def test_a_bad_table_is_not_published_and_one_with_a_warning_is_and_says_so(lists, table):
    good, count, version = lists.read(table).toArrow(), lists.count(table), lists.version(table)
    names = lists.contracts[table].column_names
    with pytest.raises(GateError, match="nine tenths"):
        lists.replace(table, nothing(lists.read(table)).select(*names), gate=gate(lists, table))
    assert (lists.count(table), lists.version(table)) == (count, version)
    odd = at_place(OWN_FIRST, product_id="zz") if table == RECENT else EARLIER
    lists.replace(table, odd(lists.read(table)).select(*names), gate=gate(lists, table))
    assert lists.version(table) > version
    assert check_table(lists, table).state == "warnings"
    lists.replace(table, lists.session.createDataFrame(good, lists.contracts[table].engine_schema()))
