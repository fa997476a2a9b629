"""Everybody who has an app is listed with it, and never fewer people than the partner's minimum."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.exports.app_installs import build_app_installs
from jobs.privacy.keyring import Key

ELIGIBLE = "subject_id string, person_id string, circle_id string, ad_id string, country string, segment string"
KEYS = [Key(f"shuffle/{name}", name, name.encode() * 8) for name in ("this", "that")]


def listed(session, people, installs, minimum, key=KEYS[0]):
    """Apps by identifier; people are (identifier, person, circle, country)."""
    rows = [(ad_id, person, circle, ad_id, country, "none") for ad_id, person, circle, country in people]
    told = build_app_installs(
        session.createDataFrame(rows, ELIGIBLE),
        session.createDataFrame(installs, "person_id string, app_id string"),
        minimum=minimum,
        order=key,
        session=session,
    ).collect()
    assert len(told) == len(set(told))
    found = defaultdict(set)
    for row in told:
        found[row["app_id"]].add(row["ad_id"])
    return dict(found)


def crowd(size, country="DE"):
    return [(f"{country}{number}", f"{country}{number}", None, country) for number in range(size)]


def test_apps_that_enough_people_have_are_told_of_them_alone(engine):
    found = listed(engine.session, crowd(9), [("DE1", "app"), ("DE4", "app"), ("guest", "app")], 2)
    assert found == {"app": {"DE1", "DE4"}}


def test_who_has_a_rare_app_is_listed_among_others_of_the_same_country(engine):
    found = listed(engine.session, [*crowd(9), *crowd(9, "FR")], [("DE1", "app"), ("FR1", "other")], 3)
    assert {"DE1"} < found["app"] < {ad_id for ad_id, *_ in crowd(9)}
    assert {"FR1"} < found["other"] < {ad_id for ad_id, *_ in crowd(9, "FR")}
    assert {len(ids) for ids in found.values()} == {3}


def test_all_addresses_of_a_person_are_listed(engine):
    people = [*crowd(3), ("work", "DE1", None, "DE"), ("home", "DE1", None, "DE")]
    assert listed(engine.session, people, [("DE1", "app")], 1) == {"app": {"DE1", "work", "home"}}
    assert listed(engine.session, people, [("DE2", "app")], 3) == {"app": {"DE0", "DE1", "DE2", "work", "home"}}


def test_accounts_of_one_human_count_once(engine):
    people = [*crowd(5), ("a", "a", "ring", "DE"), ("b", "b", "ring", "DE")]
    found = listed(engine.session, people, [("a", "app"), ("b", "app")], 2)
    assert {"a", "b"} < found["app"]
    assert len(found["app"]) == 3


def test_the_others_are_drawn_under_the_key(engine):
    people, installs = crowd(60), [("DE1", "app")]
    this, that = (listed(engine.session, people, installs, 6, key)["app"] for key in KEYS)
    assert len(this) == len(that) == 6
    assert this != that


def test_the_others_stay_the_same_while_they_are_there(engine):
    """Whoever comes or goes changes the list by no more than one person, so that days tell no more than one day."""
    people, installs = crowd(40), [("DE1", "app")]
    before = listed(engine.session, people, installs, 6)["app"]
    assert listed(engine.session, list(reversed(people)), installs, 6)["app"] == before
    for gone in ("DE2", "DE9", "DE39", *sorted(before - {"DE1"})[:2]):
        left = [person for person in people if person[0] != gone]
        after = listed(engine.session, left, installs, 6)["app"]
        assert len(before - {gone} - after) == 0
        assert len(after) == 6
    second = listed(engine.session, people, [*installs, ("DE7", "app")], 6)["app"]
    assert len(before - second) <= 1


PEOPLE = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, "ring"]), st.sampled_from(["DE", "FR"])),
    min_size=1, max_size=14, unique_by=lambda person: person[0],
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=PEOPLE,
    installs=st.sets(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["app-1", "app-2"])), min_size=1),
    minimum=st.integers(1, 5),
)
def test_owners_are_always_listed_and_never_alone(engine, people, installs, minimum):
    audience = [(person, person, circle, country) for person, circle, country in people]
    found = listed(engine.session, audience, sorted(installs), minimum)
    humans = {person: (circle or person, country) for person, circle, country in people}
    for app in ("app-1", "app-2"):
        owners = {person for person, owned in installs if owned == app and person in humans}
        ids = found.get(app, set())
        assert owners <= ids
        for country in ("DE", "FR"):
            there = {human for human, place in humans.values() if place == country}
            own = {humans[person][0] for person in owners if humans[person][1] == country}
            told = {humans[person][0] for person in ids if humans[person][1] == country}
            assert len(told) == (max(len(own), min(minimum, len(there))) if own else 0)
