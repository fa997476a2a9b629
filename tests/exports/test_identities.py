"""Identifiers by kind of partner, and what of the vault is read for them."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from jobs.errors import KeyRingError
from jobs.privacy.emails import PROFILES
from jobs.privacy.epochs import not_after, read_epoch
from jobs.privacy.identifiers import ad_id_text, as_shared
from jobs.privacy.keyring import open_keyring, partner_purpose, shared_purpose

from .conftest import DAY, SUBJECTS, fill, fill_subjects
from .reading import EUROPE, PLATFORM, SHARED, WORLD, contents, export, folder, ids, make_id, read, read_manifest

SECRET = bytes(range(32))
ADDRESSES = {name: f"{name}@shop.example" for name in SUBJECTS}


def fill_identities(lake, *more, without=()):
    """Everybody's address, and further spellings or accounts."""
    common = {"subject_bucket": 7, "is_primary": True, "updated_at": datetime(2024, 1, 1, tzinfo=UTC)}
    rows = [{"subject_id": name, "email": text} for name, text in ADDRESSES.items() if name not in without]
    everything = [
        {**common, "identity_id": str(n), "customer_id": str(n), "person_id": str(n), "email_normalised": "x", **row}
        for n, row in enumerate([*rows, *more])
    ]
    fill(lake, "vault.identities", everything)


def shared_ids(lake, *addresses):
    key = as_shared(open_keyring(lake.settings).find(shared_purpose("loyalty")))
    return {ad_id_text(PROFILES["google"].normalise_text(address), key) for address in addresses}


def platform_ids(*addresses):
    meta = PROFILES["meta"]
    return {meta.digest_text(meta.normalise_text(address)) for address in addresses}


@pytest.fixture
def ring(shop):
    ring = open_keyring(shop.settings)
    ring.put(shared_purpose("loyalty"), SECRET)
    return ring


def test_opaque_identifiers_are_made_without_the_vault(shop):
    """Whatever lies in the vault, the export does not even look: a table that nobody could read does not disturb it."""
    export(shop, EUROPE, DAY)
    expected = contents(folder(shop))
    fill_identities(shop)
    for table in Path(shop.home, "vault").iterdir():
        shutil.rmtree(table)
        (table / "_delta_log").mkdir(parents=True)
        (table / "_delta_log" / "00000000000000000000.json").write_text("no log")
    export(shop, EUROPE, DAY)
    assert contents(folder(shop)) == expected
    with pytest.raises(Exception):  # noqa: B017, PT011
        export(shop, PLATFORM, DAY)


def test_an_identifier_tells_its_version_and_key_and_is_safe_in_a_url(shop):
    manifest = export(shop, EUROPE, DAY)
    (found,) = {ad_id.rpartition("-")[0] for ad_id in ids(shop)}
    assert found == f"sx1-{manifest['identifiers']['key_id']}"
    assert all(ad_id.replace("-", "").isalnum() for ad_id in ids(shop))


def test_a_shared_key_makes_what_the_partner_makes_from_its_own_addresses(shop, ring):
    fill_identities(shop)
    export(shop, SHARED, DAY)
    assert ids(shop, "additions", SHARED) == shared_ids(
        shop, *(ADDRESSES[name].upper() for name in ("adult", "second", "french", "american"))
    )
    about = read_manifest(folder(shop, SHARED))["identifiers"]
    assert (about["profile"], about["epoch"], about["is_reversible"]) == ("google/1", None, False)


def test_a_platform_gets_its_own_hash_marked_as_reversible(shop):
    fill_identities(shop)
    export(shop, PLATFORM, DAY)
    names = ("adult", "second", "french", "american")
    assert ids(shop, "additions", PLATFORM) == platform_ids(*(ADDRESSES[name] for name in names))
    about = read_manifest(folder(shop, PLATFORM))["identifiers"]
    assert about["is_reversible"]
    assert about["reason"] == "the platform takes nothing else"
    assert about["key_id"] is None


@pytest.mark.parametrize("partner", [SHARED, PLATFORM])
def test_a_subject_without_an_address_is_counted_and_in_no_file(shop, ring, partner):
    fill_identities(shop, {"subject_id": "american", "email": "no address at all"}, without=("french", "american"))
    manifest = export(shop, partner, DAY)
    assert manifest["excluded"]["no_address"] == 2
    assert manifest["counts"]["additions"] == 2
    assert all(row["ad_id"] for kind in ("additions", "app_installs") for row in read(shop, kind, partner))


def test_segments_that_lack_people_once_addresses_are_missing_are_left_out(shop, ring):
    """Of two people in Germany without a segment one cannot be told by an address, so the other would stand alone."""
    two = replace(SHARED, minimum_segment=2)
    fill_subjects(shop, {"closed": {}, "opted": {}})
    fill_identities(shop)
    assert export(shop, two)["counts"]["additions"] == 2
    fill_identities(shop, without=("opted",))
    manifest = export(shop, two)
    assert manifest["counts"]["additions"] == 0
    assert (manifest["excluded"]["no_address"], manifest["excluded"]["small_segment"]) == (1, 1)


def test_people_of_one_identifier_are_one_in_a_segment(shop, ring):
    """The partner's profile takes the twins' addresses for one, so that a segment of two would be told of one."""
    two = replace(SHARED, minimum_segment=2)
    twins = {"twin": {}, "other-twin": {}}
    spelled = [{"subject_id": name, "email": ADDRESSES["adult"].upper()} for name in twins]
    fill_subjects(shop, twins)
    fill_identities(shop, *spelled)
    manifest = export(shop, two)
    assert (manifest["counts"]["additions"], manifest["excluded"]["small_segment"]) == (0, 2)
    fill_subjects(shop, {**twins, "closed": {}})
    fill_identities(shop, *spelled)
    assert export(shop, two)["counts"]["additions"] == 2


def test_people_of_one_identifier_do_not_fill_the_segment_they_are_not_told_in(shop, ring):
    """The identifier is told in France, so that the one in Germany is alone there."""
    two = replace(SHARED, minimum_segment=2)
    fill_subjects(shop, {"closed": {}, "opted": {"country": "FR"}, "a-twin": {"country": "FR"}, "b-twin": {}})
    fill_identities(shop, *({"subject_id": name, "email": "twins@shop.example"} for name in ("a-twin", "b-twin")))
    manifest = export(shop, two)
    assert {row["country"] for row in read(shop, "additions", two)} == {"FR"}
    assert manifest["counts"]["additions"] == 2
    assert manifest["excluded"]["small_segment"] == 1


def test_an_empty_vault_leaves_everybody_out_and_nothing_half_written(shop, ring):
    manifest = export(shop, SHARED, DAY)
    assert (manifest["counts"]["additions"], manifest["excluded"]["no_address"]) == (0, 4)
    export(shop, SHARED, DAY)


def test_one_spelling_of_an_address_counts(shop, ring):
    other = {"subject_id": "french", "email": "french+news@shop.example", "is_primary": False}
    fill_identities(shop, other)
    export(shop, SHARED, DAY)
    assert len(ids(shop, "additions", SHARED)) == 4
    assert shared_ids(shop, ADDRESSES["french"]) <= ids(shop, "additions", SHARED)


def test_an_address_that_also_belongs_to_somebody_kept_out_is_kept_out(shop, ring):
    """Our profile tells two addresses apart that the partner's takes for one."""
    fill_subjects(shop, {**SUBJECTS, "twin": {"ads_opt_out": True}, "other-twin": {"country": "DE"}})
    fill_identities(
        shop, {"subject_id": "twin", "email": ADDRESSES["french"]}, {"subject_id": "other-twin", "email": "b@c.example"}
    )
    manifest = export(shop, SHARED, DAY)
    assert manifest["excluded"]["opted_out"] == 4
    assert ids(shop, "additions", SHARED) == shared_ids(
        shop, ADDRESSES["adult"], ADDRESSES["second"], ADDRESSES["american"], "b@c.example"
    )


def test_one_address_of_two_people_is_one_row(shop, ring):
    fill_subjects(shop, {**SUBJECTS, "twin": {}})
    fill_identities(shop, {"subject_id": "twin", "email": ADDRESSES["adult"].upper()})
    export(shop, SHARED, DAY)
    assert len(read(shop, "additions", SHARED)) == 4
    assert len({(row["ad_id"], row["app_id"]) for row in read(shop, "app_installs", SHARED)}) == 2


def test_without_the_shared_key_nothing_is_written(shop):
    fill_identities(shop)
    with pytest.raises(KeyRingError, match="no key for shared/loyalty"):
        export(shop, SHARED, DAY)
    assert not folder(shop, SHARED).parent.exists()
    assert shop.count("ledger.exports") == 0


def test_a_destroyed_key_makes_no_identifiers_any_more(shop):
    export(shop, EUROPE, DAY)
    before = contents(folder(shop))
    open_keyring(shop.settings).destroy(partner_purpose("adnet-eu", "2024Q1"))
    with pytest.raises(KeyRingError, match="destroyed"):
        export(shop, EUROPE, DAY)
    assert contents(folder(shop)) == before
    export(shop, EUROPE, date(2024, 4, 1))


def test_a_key_ends_with_its_epoch_and_the_overlap(shop):
    export(shop, EUROPE, DAY)
    (entry,) = [e for e in open_keyring(shop.settings).entries() if e.purpose == partner_purpose("adnet-eu", "2024Q1")]
    assert entry.not_after == not_after(read_epoch("2024Q1"), EUROPE.overlap_days) == date(2024, 4, 30)


def test_partners_of_all_kinds_get_different_identifiers(shop, ring):
    fill_identities(shop)
    found = []
    for partner in (EUROPE, WORLD, SHARED, PLATFORM):
        export(shop, partner, DAY)
        found.append(ids(shop, "additions", partner))
    assert len(set.union(*found)) == sum(len(each) for each in found)
    assert make_id(shop, "adult") in found[0]
