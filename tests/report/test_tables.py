"""Only what everybody may see goes into the report."""

import pytest

from jobs.errors import ContractError
from jobs.report.tables import CATALOGUE, SHOWN, check_publishable


def test_tables_of_the_report_are_open_to_everybody(contracts):
    for table in (CATALOGUE, *(shown.table for shown in SHOWN)):
        assert check_publishable(contracts[table]).name == table


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("marts.bestsellers_exact", "restricted"),
        ("marts.recommended_for_you", "belong to people"),
        ("marts.recently_viewed", "belong to people"),
        ("lake.order_lines", "no published table"),
        ("vault.customers", "restricted"),
    ],
)
def test_other_tables_are_refused_with_the_reason(contracts, table, reason):
    with pytest.raises(ContractError, match=f"{table} does not go into the report: .*{reason}"):
        check_publishable(contracts[table])


def test_no_table_with_a_restricted_or_personal_row_is_ever_taken(contracts):
    taken = set()
    for table in contracts:
        try:
            check_publishable(contracts[table])
        except ContractError:
            continue
        taken.add(table)
        assert not contracts[table].is_restricted
        assert not contracts[table].has_subject
        assert {column.classification for column in contracts[table].columns} == {"public"}
    assert {shown.table for shown in SHOWN} <= taken
    assert all(table.startswith("marts.") for table in taken - {CATALOGUE})


def test_rows_are_sorted_by_what_names_them(contracts):
    for shown in SHOWN:
        assert set(shown.order) <= set(contracts[shown.table].column_names)
