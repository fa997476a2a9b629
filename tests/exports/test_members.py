"""What a partner holds: it is told of everybody who comes, changes or goes, and of each once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import SophiluxError, UsageError
from jobs.exports import acknowledgements, members, packages
from jobs.exports.acknowledgements import acknowledge
from jobs.lake import columns as C
from jobs.privacy.keyring import SUBJECT, open_keyring
from tests.requests.asking import ask

from .conftest import DAY, SUBJECTS, fill, fill_subjects
from .reading import EUROPE, WORLD, contents, export, folder, ids, make_id, read, read_manifest

DAY_TIME = datetime(2024, 3, 1, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
SAME_QUARTER = date(2024, 3, 20), date(2024, 3, 21), date(2024, 3, 22)


def held(lake, partner=EUROPE):
    rows = lake.read("ledger.audience_members").where(f"partner = '{partner.name}'").collect()
    assert len(rows) == len({row["ad_id"] for row in rows})
    return {row["ad_id"] for row in rows}


def states(lake):
    return {row["day"]: row["state"] for row in lake.read_records("ledger.exports")}


def opt_out(lake, *names):
    fill_subjects(lake, {**SUBJECTS, **{name: {**SUBJECTS[name], "ads_opt_out": True} for name in names}})


def test_nothing_is_held_before_a_package_is_acknowledged(shop):
    export(shop, EUROPE, DAY)
    assert held(shop) == set()
    assert acknowledge(shop, "adnet-eu", DAY)
    assert held(shop) == ids(shop)
    assert states(shop) == {DAY: "acknowledged"}
    assert shop.count("ledger.audience_changes") == 0


def test_whoever_opts_out_is_removed_in_the_next_package_and_only_there(shop):
    first, second, third = SAME_QUARTER
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    opt_out(shop, "french")
    export(shop, EUROPE, second)
    assert ids(shop, "removals", EUROPE, second) == {make_id(shop, "french")}
    assert ids(shop, "additions", EUROPE, second) == set()
    acknowledge(shop, "adnet-eu", second)
    export(shop, EUROPE, third)
    assert ids(shop, "removals", EUROPE, third) == ids(shop, "additions", EUROPE, third) == set()


def test_a_choice_of_one_address_removes_all_of_the_person(shop):
    first, second, _ = SAME_QUARTER
    open_keyring(shop.settings).key(SUBJECT)
    ask(shop, "opt-in", at=DAY_TIME)
    (subject,) = [row["subject_id"] for row in shop.read("ledger.choices").collect()]
    fill_subjects(shop, {subject: {"person_id": "jane"}, "work-address": {"person_id": "jane"}})
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    assert len(held(shop)) == 2
    ask(shop, "opt-out", "Jane@shop.example", at=DAY_TIME + timedelta(days=1))
    export(shop, EUROPE, second)
    assert ids(shop, "removals", EUROPE, second) == {make_id(shop, subject), make_id(shop, "work-address")}


def test_whoever_is_erased_is_removed(shop):
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    fill_subjects(shop, {name: odd for name, odd in SUBJECTS.items() if name not in ("adult", "second")})
    export(shop, EUROPE, second)
    assert ids(shop, "removals", EUROPE, second) == {make_id(shop, "adult"), make_id(shop, "second")}
    acknowledge(shop, "adnet-eu", second)
    assert held(shop) == {make_id(shop, "french")}


def test_whoever_is_held_differently_is_told_again(shop):
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    fill_subjects(shop, {**SUBJECTS, "second": {"person_id": "adult", "country": "FR"}})
    export(shop, EUROPE, second)
    assert read(shop, "additions", EUROPE, second) == [
        {"ad_id": make_id(shop, "second"), "country": "FR", "segment": "Home"}
    ]
    assert read(shop, "removals", EUROPE, second) == []


def test_a_new_epoch_removes_all_former_identifiers_and_adds_everybody(shop):
    export(shop, EUROPE, DAY)
    acknowledge(shop, "adnet-eu", DAY)
    former = held(shop)
    export(shop, EUROPE, NEXT)
    assert ids(shop, "removals", EUROPE, NEXT) == former
    assert ids(shop, "additions", EUROPE, NEXT) == {
        make_id(shop, name, day=NEXT) for name in ("adult", "second", "french", "minor")
    }
    acknowledge(shop, "adnet-eu", NEXT)
    assert not held(shop) & former


def test_a_package_builds_on_the_last_acknowledged_one(shop):
    first, second, third = SAME_QUARTER
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    export(shop, EUROPE, second)
    export(shop, EUROPE, third)
    entry = next(row for row in shop.read_records("ledger.exports") if row["day"] == first)
    manifest = read_manifest(folder(shop, EUROPE, third))
    assert manifest["follows"] == {"day": str(first), "manifest_sha256": entry["manifest_sha256"]}
    assert manifest["period"] == {"first": str(second), "last": str(third)}
    assert states(shop) == {first: "acknowledged", second: "superseded", third: "sent"}
    packages_waiting = {row["package_id"] for row in shop.read("ledger.audience_changes").collect()}
    assert len(packages_waiting) <= 1


def test_what_a_superseded_package_said_is_taken_back(shop):
    """The partner may have used the superseded package, so it has to hear of whoever was in it."""
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, first)
    opt_out(shop, "french")
    export(shop, EUROPE, second)
    assert ids(shop, "removals", EUROPE, second) == {make_id(shop, "french")}
    acknowledge(shop, "adnet-eu", second)
    assert held(shop) == {make_id(shop, "adult"), make_id(shop, "second")}


def test_packages_go_forward_only(shop):
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, second)
    with pytest.raises(UsageError, match=r"was sent the package of 2024-03-21 already \(sent\)"):
        export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", second)
    for day in (first, second):
        with pytest.raises(UsageError, match=r"2024-03-21 already \(acknowledged\)"):
            export(shop, EUROPE, day)


@pytest.mark.parametrize("partner", ["adnet-eu", "nobody", "../adnet-eu", ""])
def test_a_package_that_was_never_sent_is_not_acknowledged(shop, partner):
    export(shop, EUROPE, DAY)
    with pytest.raises(UsageError, match="No package of 2024-04-01 was sent to"):
        acknowledge(shop, partner, NEXT)
    assert states(shop) == {DAY: "sent"}


def test_a_superseded_package_is_not_acknowledged(shop):
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, first)
    export(shop, EUROPE, second)
    with pytest.raises(UsageError, match=r"superseded by a later one.*acknowledgement: 2024-03-21"):
        acknowledge(shop, "adnet-eu", first)


def test_a_second_acknowledgement_changes_nothing(shop):
    export(shop, EUROPE, DAY)
    acknowledge(shop, "adnet-eu", DAY)
    before = shop.read_records("ledger.exports"), held(shop)
    assert not acknowledge(shop, "adnet-eu", DAY)
    assert (shop.read_records("ledger.exports"), held(shop)) == before


def test_partners_do_not_touch_each_others_members(shop):
    for partner in (EUROPE, WORLD):
        export(shop, partner, DAY)
        acknowledge(shop, partner.name, DAY)
    export(shop, EUROPE, NEXT)
    acknowledge(shop, "adnet-eu", NEXT)
    assert held(shop, WORLD) == ids(shop, "additions", WORLD)


def test_an_acknowledgement_that_crashed_is_finished_by_the_next(shop, monkeypatch):
    export(shop, EUROPE, DAY)
    with monkeypatch.context() as patch:
        patch.setattr(acknowledgements.register, "REGISTER", "no.such.table")
        patch.setattr(acknowledgements.register, "list_entries", lambda *_: entries)
        entries = shop.read_records("ledger.exports")
        with pytest.raises(UsageError):
            acknowledge(shop, "adnet-eu", DAY)
    assert acknowledge(shop, "adnet-eu", DAY)
    assert held(shop) == ids(shop)


def test_changes_that_are_gone_cannot_be_acknowledged(shop):
    export(shop, EUROPE, DAY)
    fill(shop, "ledger.audience_changes", [])
    with pytest.raises(SophiluxError, match="told 3 changes, but the ledger still knows 0"):
        acknowledge(shop, "adnet-eu", DAY)
    assert states(shop) == {DAY: "sent"}


def test_an_export_that_crashed_before_its_register_leaves_the_last_package_to_acknowledge(shop, monkeypatch):
    first, second, third = SAME_QUARTER
    export(shop, EUROPE, first)
    opt_out(shop, "adult", "second")
    with monkeypatch.context() as patch:
        patch.setattr(packages.register, "record_sent", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export(shop, EUROPE, second)
    acknowledge(shop, "adnet-eu", first)
    assert held(shop) == ids(shop, "additions", EUROPE, first)
    export(shop, EUROPE, third)
    assert ids(shop, "removals", EUROPE, third) == {make_id(shop, "adult"), make_id(shop, "second")}


def test_a_package_of_the_same_day_is_replaced_by_the_same_until_it_is_acknowledged(shop):
    first, second, _ = SAME_QUARTER
    export(shop, EUROPE, first)
    acknowledge(shop, "adnet-eu", first)
    opt_out(shop, "french")
    export(shop, EUROPE, second)
    before = contents(folder(shop, EUROPE, second))
    export(shop, EUROPE, second)
    assert contents(folder(shop, EUROPE, second)) == before


AUDIENCES = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y", None]), max_size=4), st.booleans(),
              st.booleans()),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=AUDIENCES)
def test_a_partner_that_applies_what_it_likes_and_acknowledges_the_last_holds_the_audience(engine, days):
    """Each day: who is in the audience, whether the partner applies the package, and whether it says so."""
    session = engine.session
    base, pending, partner = {}, set(), {}

    def frame(rows):
        return session.createDataFrame(list(rows), "ad_id string, country string, segment string")

    for number, (audience, applies, says_so) in enumerate(days):
        is_last = number == len(days) - 1
        changes = members.find_changes(
            frame((who, country, "s") for who, country in audience.items()),
            frame((who, country, "s") for who, country in base.items()),
            session.createDataFrame([(who,) for who in sorted(pending)], "ad_id string"),
        ).collect()
        assert len(changes) == len({row[C.AD_ID] for row in changes})
        pending |= {row[C.AD_ID] for row in changes}
        if applies or says_so or is_last:
            for row in changes:
                partner.pop(row[C.AD_ID], None)
            partner |= {row[C.AD_ID]: row[C.COUNTRY] for row in changes if row[C.CHANGE] == members.ADD}
            assert partner == audience
        if says_so:
            base, pending = dict(audience), set()
