"""Nothing brings back who was erased from a whole shop: no pull of sources that still have them, no backup."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.erasure.runs import erase
from jobs.lake import Days
from jobs.people.finding import find_people
from jobs.runner import run_step
from jobs.steps import FLOWS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY
from tests.erasure.bytes_below import find_below
from tests.erasure.conftest import ask, copy_shop, list_values

pytestmark = [pytest.mark.slow]

DAYS = Days(DEMO_FIRST_DAY, DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS - 1))
PULLS = tuple(flow for flow in FLOWS if flow.name in ("pull_clickstream", "pull_purchases", "pull_carrier_updates"))
ZONES = ("landing", "quarantine", "vault", "lake")


def contents(lake):
    tables = [name for name in lake.contracts if name.startswith(ZONES) and lake.exists(name)]
    return {table: sorted(map(repr, lake.read_records(table))) for table in tables}


def pull(lake, days=DAYS, *, kinds=("sources", "conform")):
    reports = {}
    for flow in PULLS:
        for step in flow.steps:
            if step.name.startswith(kinds):
                reports[step.name] = run_step(lake, step, days)
    return reports


def differing(before, after):
    return sorted(table for table in before | after if before.get(table) != after.get(table))


@pytest.fixture(scope="module")
def person(demo):
    """Somebody with orders, parcels and clicks."""
    lake, _ = demo
    subjects = [row.subject_id for row in lake.read("lake.subjects").select("subject_id").collect()]
    people = find_people(lake, subject_ids=subjects, whole_circles=True)
    return max(
        people, key=lambda person: (len(person.parcel_ids) > 0, len(person.person_ids) > 1, len(person.order_ids))
    )


@pytest.fixture(scope="module")
def erased(demo, person, tmp_path_factory):
    lake = copy_shop(demo[0], tmp_path_factory.mktemp("away"))
    erase(lake, [ask(*person.subject_ids, addresses=person.addresses)])
    return lake


def find_values(lake, person):
    """What of the person stands anywhere in the zones that pulls write to; clicks' short cookies stand in too much."""
    values = list_values(person) - person.visitors
    return [place for zone in ZONES for place in find_below(str(Path(lake.home, zone)), values)]


def test_pulling_every_day_again_and_one_of_them_alone_leaves_the_rows_of_everybody_else_and_no_others(erased, person):
    before = contents(erased)
    reports = pull(erased)
    assert sum(report.forgotten or 0 for report in reports.values()) > len(person.order_ids) > 0
    for name, report in reports.items():
        if name.startswith("conform") and name != "conform.products":
            assert report.rows_in == report.rows_out + report.duplicates + report.quarantined + report.forgotten, name
    assert differing(before, contents(erased)) == []
    pull(erased, Days.single(DEMO_FIRST_DAY + timedelta(days=2)))
    assert differing(before, contents(erased)) == []
    assert find_values(erased, person) == []


def test_landing_of_a_backup_does_not_bring_them_back(demo, erased, person):
    before = contents(erased)
    shutil.rmtree(Path(erased.home, "landing"))
    shutil.copytree(Path(demo[0].home, "landing"), Path(erased.home, "landing"))
    assert find_values(erased, person)
    pull(erased, kinds=("conform",))
    assert differing(before, contents(erased)) == []
    assert find_values(erased, person) == []
