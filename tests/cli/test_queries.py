"""SQL names tables, reads only, and leaves personal data alone unless asked."""

import pytest

from jobs.cli.queries import check_readable, query, rewrite
from jobs.errors import UsageError


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("SELECT * FROM lake.orders", "SELECT * FROM lake__orders AS orders"),
        ("SELECT * FROM lake.orders;", "SELECT * FROM lake__orders AS orders"),
        ("SELECT o.day FROM lake.orders o", "SELECT o.day FROM lake__orders o"),
        ("SELECT o.day FROM lake.orders AS o", "SELECT o.day FROM lake__orders AS o"),
        ("SELECT lake.orders.day FROM LAKE.Orders", "SELECT orders.day FROM lake__orders AS Orders"),
        (
            "SELECT * FROM lake.orders JOIN lake.returns USING (order_id)",
            "SELECT * FROM lake__orders AS orders JOIN lake__returns AS returns USING (order_id)",
        ),
        ("(SELECT 1 FROM lake.orders)", "(SELECT 1 FROM lake__orders AS orders)"),
        ("SELECT 'lake.orders' -- lake.orders", "SELECT 'lake.orders' -- lake.orders"),
        ("/* lake.orders */ SELECT 1", "/* lake.orders */ SELECT 1"),
        ("SELECT exports.day FROM ledger.exports", "SELECT exports.day FROM ledger__exports AS exports"),
    ],
)
def test_tables_become_views_of_the_session(contracts, text, rewritten):
    assert rewrite(text, contracts)[0] == rewritten


def test_the_tables_of_a_query_are_listed_once(contracts):
    text = "WITH a AS (SELECT * FROM lake.orders) SELECT * FROM a, lake.orders, marts.bestsellers"
    assert rewrite(text, contracts)[1] == ["lake.orders", "marts.bestsellers"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DROP TABLE lake.orders",
        "INSERT INTO lake.orders SELECT 1",
        "-- SELECT\nDELETE FROM lake.orders",
        "/* SELECT */ UPDATE lake.orders SET day = null",
        "SELECT * FROM delta.`/somewhere`",
        "SELECT * FROM parquet . `/somewhere`",
        "SELECT email FROM `delta`.`/somewhere/vault/customers`",
        "SELECT email FROM `parquet` . `file:/somewhere`",
    ],
)
def test_what_is_no_query_of_tables_is_refused(contracts, text):
    with pytest.raises(UsageError):
        rewrite(text, contracts)


def test_personal_data_is_read_only_when_asked_for(contracts):
    vault = [contracts["vault.customers"], contracts["lake.orders"]]
    with pytest.raises(UsageError, match=r"^vault\.customers may hold personal data.*--restricted"):
        check_readable(vault, restricted=False)
    check_readable(vault, restricted=True)


def test_every_zone_with_direct_identifiers_is_restricted(contracts):
    restricted = {contract.name for contract in contracts.values() if contract.is_restricted}
    exact = {"ledger.chart_exclusions", "ledger.chart_utility", "marts.bestsellers_exact"}
    assert exact < restricted
    assert {table.partition(".")[0] for table in restricted - exact} == {"landing", "quarantine", "vault"}


@pytest.mark.parametrize(
    "text",
    [
        "WITH a AS (SELECT 1) INSERT INTO lake.orders SELECT * FROM lake.orders",
        "SELECT 1) AS a; DROP TABLE lake.orders; SELECT * FROM (SELECT 2",
        "SELECT nothing FROM lake.orders",
        "SELECT * FROM lake.nothing",
        "SELECT 1; SELECT 2",
    ],
)
def test_the_engine_must_agree_that_it_is_a_query(lake, text):
    with pytest.raises(UsageError, match="cannot be run"):
        query(lake, text, restricted=False)


def test_a_query_reads_tables_also_before_they_hold_rows(lake):
    text = "SELECT count(*) AS orders FROM lake.orders JOIN lake.returns ON orders.order_id = returns.order_id"
    assert query(lake, text, restricted=False).collect()[0]["orders"] == 0
