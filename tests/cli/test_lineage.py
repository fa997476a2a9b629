"""``sophilux lineage``: what a table's columns are made from."""

import json

from pyspark.sql import functions as F

from tests.cli.test_cli import call

SUBJECTS = "lake.subjects"


def test_help_has_an_example():
    done = call("lineage", "--help")
    assert done.exit_code == 0
    assert "Example: sophilux lineage lake.subjects" in " ".join(done.stdout.split())


def test_each_column_is_told_with_its_sources_and_declarations(lake):
    from jobs.privacy.minimisation.ages import adult_from

    made = {"subject_id": F.col("subject_id"), "adult_from": adult_from(F.col("birth_date"))}
    columns = lake.contracts[SUBJECTS].columns
    accounts = lake.read("vault.customers")
    rows = accounts.select(*(made.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in columns))
    lake.replace(SUBJECTS, rows)
    done = call("lineage", SUBJECTS, "--format", "json", home=lake.home)
    told = {row["column"]: (row["made from"], row["declared as"]) for row in json.loads(done.stdout)}
    assert set(told) == {column.name for column in columns}
    assert told["adult_from"] == ("vault.customers.birth_date", "coarsened to month")
    assert told["subject_id"] == ("vault.customers.subject_id", "")
    assert told["country"] == ("", "")


def test_a_table_that_nothing_was_written_to_says_so(lake):
    lake.replace("lake.products", lake.empty("lake.products"))
    done = call("lineage", SUBJECTS, home=lake.home)
    assert done.exit_code == 0
    assert "No lineage is known of lake.subjects: it was pulled from outside, or nothing was written" in done.stderr


def test_an_unknown_table_is_a_usage_error(lake):
    assert call("lineage", "lake.nothing", home=lake.home).exit_code == 2
