"""Packages, and what is kept of them, end by their contracts: a partner's books when it has been silent for long."""

from dataclasses import replace
from datetime import date

import pyrage
import pytest

from jobs.exports.members import LEDGER, VAULT
from jobs.retention.planning import make_plan
from tests.exports.conftest import fill_subjects
from tests.exports.reading import EUROPE, export, folder

from .conftest import DAY, fill, forget

SILENT_SINCE, HEARD_OF = date(2022, 6, 29), date(2022, 6, 30)


@pytest.mark.parametrize("table", [LEDGER.members, LEDGER.changes, VAULT.members, VAULT.changes])
def test_what_a_partner_holds_is_kept_until_it_has_been_silent_for_two_years(lake, table):
    common = {"ad_id": "a", "segment": "s", "change": "add"}
    days = {"silent": SILENT_SINCE, "active": HEARD_OF}
    rows = [{**common, "partner": name, "package_id": f"{name}.0", "as_of": day} for name, day in days.items()]
    fill(lake, table, rows)
    forget(lake, DAY)
    assert [row["partner"] for row in lake.read_records(table)] == ["active"]


@pytest.mark.parametrize("sealed", [False, True])
def test_packages_go_after_their_term_with_all_their_files(lake, sealed):
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    partner = replace(EUROPE, shards=2, encrypt_to=(recipient,) if sealed else ())
    fill_subjects(lake, {"adult": {}})
    old, young = date(2024, 3, 31), date(2024, 4, 1)
    for day in (old, young):
        export(lake, partner, day)
    (removal,) = make_plan(lake, DAY).removals
    assert (removal.table, len(removal.folders)) == ("exports.additions", 1)
    forget(lake, DAY)
    assert not folder(lake, partner, old).exists()
    assert folder(lake, partner, young).exists()
    assert {row["day"] for row in lake.read_records("ledger.exports")} == {old, young}
