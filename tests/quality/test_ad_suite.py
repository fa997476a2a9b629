"""The suite of ad effectiveness: every rule broken on purpose, and what its severity does."""

from datetime import timedelta

import pytest

from jobs.errors import GateError
from jobs.lake import Days
from jobs.marts.ad_effectiveness import find_release_threshold
from jobs.marts.attribution import REVENUE_CAP
from jobs.marts.periods import WEEK, period_of
from jobs.quality import check_table, gate
from tests.marts.tables import DAY, fill, pseudonym
from tests.quality.planted import at_place, failures, hold_up, list_rules, nothing, twice, without

TABLE = "marts.ad_effectiveness"
WEEKS = [period_of(WEEK, DAY + timedelta(7 * n)) for n in range(9)]
LAST = WEEKS[-1]
NAMED = find_release_threshold()
CAMPAIGNS = ("(all)", "spring", "shoes", "mugs", "hats", "socks", "pens", "books")


def result(week, campaign, number):
    reached = 3 * NAMED + number
    row = {"week": week.id, "week_start": week.start, "partner": "adnet", "campaign": campaign, "reached": reached}
    row |= {"clicked": 60, "bought": 20, "revenue": 900, "release_id": f"r{week.id}"}
    return row | {"reached_margin": 9, "clicked_margin": 12, "bought_margin": 12, "revenue_margin": 150}


@pytest.fixture(scope="module")
def weeks(shared_lake):
    """Nine weeks of one partner, each paid for, and the ads that were shown."""
    lake = shared_lake
    fill(lake, TABLE, [result(week, name, n) for n, week in enumerate(WEEKS) for name in CAMPAIGNS])
    fill(
        lake, "ledger.privacy_charges", [{"release_id": f"r{week.id}", "charge_no": n} for n, week in enumerate(WEEKS)]
    )
    impressions = [
        {"day": day, "partner": "adnet", "impression_id": n, "counts_until": day + timedelta(7)}
        for n, day in enumerate(Days(WEEKS[0].start, LAST.last + timedelta(8)))
    ]
    fill(lake, "lake.impressions", impressions)
    return lake


OF_WEEK = f"week = '{LAST.id}'"
ONE = f"{OF_WEEK} and campaign = 'spring'"
ALL = f"{OF_WEEK} and campaign = '(all)'"
DEFECTS = {
    "there are rows": (nothing, "warning"),
    "a campaign stands once in a week": (twice(ONE), "critical"),
    "week looks like 2011-W45": (at_place(ONE, week="2024-9"), "critical"),
    "week_start is filled": (at_place(ONE, week_start=None), "critical"),
    "week_start is the Monday of the week": (at_place(OF_WEEK, week_start=LAST.start + timedelta(7)), "critical"),
    "campaign is a plain name or (all)": (at_place(ONE, campaign="<b>spring</b>"), "critical"),
    "campaign is no pseudonym, phone or card number": (at_place(ONE, campaign=pseudonym("jo")), "critical"),
    "partner is a plain name": (at_place(ONE, partner="jo@example.com"), "critical"),
    "every partner has shown ads": (at_place(OF_WEEK, partner="worldads"), "warning"),
    "release_id is filled": (at_place(ONE, release_id=None), "critical"),
    "every release was paid for": (at_place(OF_WEEK, release_id="free"), "critical"),
    "a partner's week is one release": (at_place(ONE, release_id=f"r{WEEKS[0].id}"), "critical"),
    "a release is of one week and one partner": (at_place(ONE, partner="worldads"), "critical"),
    "a partner's week has the row of all campaigns": (without(ALL), "critical"),
    "a number has the same margin in all rows of a release": (at_place(ONE, clicked_margin=13), "critical"),
    f"a campaign that is named reached {NAMED} people or more, as far as noise lets one know": (
        at_place(ONE, reached=NAMED - 1), "critical"),
    "no more people clicked than were reached, margins allowed for": (at_place(ONE, clicked=4 * NAMED + 99), "warning"),
    "revenue is no more than the cap allows for those who bought, margins allowed for": (
        at_place(ONE, revenue=REVENUE_CAP * 44 + 301), "warning"),
    "the people reached lie within four standard deviations of the twelve weeks before": (
        at_place(ALL, reached="= reached * 3"), "warning"),
    "a partner has about as many campaigns as in the twelve weeks before": (
        without(f"{OF_WEEK} and campaign in ('mugs', 'hats', 'socks', 'pens')"), "warning"),
    **{f"{name} is 0 or more": (at_place(ONE, **{name: -1}), "critical") for name in ("reached", "clicked", "bought", "revenue")},
    **{f"{name}_margin is 1 or more": (at_place(OF_WEEK, **{f"{name}_margin": 0}), "critical") for name in ("reached", "clicked", "bought", "revenue")},
}  # fmt: skip
LATE = "weeks are released within a fortnight of their closing"


def test_good_results_pass(weeks):
    assert failures(weeks, TABLE) == {}


def test_every_rule_has_its_defect_and_its_severity(weeks):
    severities = {rule: severity for rule, (_, severity) in DEFECTS.items()}
    assert list_rules(weeks, TABLE) == severities | {LATE: "warning"}


@pytest.mark.parametrize("rule", DEFECTS)
def test_a_defect_is_found_and_stops_the_table_only_where_that_is_said(weeks, tmp_path, rule):
    change, severity = DEFECTS[rule]
    state = {"critical": "blocked", "warning": "warnings"}[severity]
    assert hold_up(weeks, TABLE, change, rule, tmp_path) == (severity, state)


def test_weeks_that_stay_behind_the_ads_are_pointed_out(weeks):
    held = weeks.read("lake.impressions").collect()
    day = LAST.last + timedelta(20)
    later = [
        {"day": day + timedelta(n), "partner": "adnet", "impression_id": n, "counts_until": day + timedelta(n + 7)}
        for n in (0, 22)
    ]
    fill(weeks, "lake.impressions", [*(row.asDict() for row in held), *later])
    assert failures(weeks, TABLE, only=LATE) == {LATE: "warning"}
    fill(weeks, "lake.impressions", [row.asDict() for row in held])


def test_a_bad_week_is_not_published_and_one_with_a_warning_is_and_says_so(weeks):
    names, version = weeks.contracts[TABLE].column_names, weeks.version(TABLE)
    rows = weeks.read(TABLE)
    with pytest.raises(GateError, match="every release was paid for"):
        weeks.replace(TABLE, at_place(OF_WEEK, release_id="free")(rows).select(*names), gate=gate(weeks, TABLE))
    assert weeks.version(TABLE) == version
    weeks.replace(TABLE, at_place(ALL, reached="= reached * 3")(rows).select(*names), gate=gate(weeks, TABLE))
    assert weeks.version(TABLE) > version
    assert check_table(weeks, TABLE).state == "warnings"
