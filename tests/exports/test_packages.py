"""Packages for partners hold who may be in them, under identifiers of their own."""

import json
from dataclasses import replace
from datetime import date

import pytest
import xxhash
from pyarrow import parquet as pq

from jobs.errors import UsageError
from jobs.exports import packages
from jobs.exports.partners import Partner
from jobs.exports.verification import verify_package
from jobs.lake import Days
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer

from .conftest import DAY
from .reading import EUROPE, WORLD, contents, export, folder, ids, make_id, read, read_manifest

KINDS = ("additions", "removals", "app_installs", "conversions")


def verify(lake, partner=EUROPE, day=DAY):
    return verify_package(folder(lake, partner, day), open_signer(open_keyring(lake.settings)).public_key)


def test_only_eligible_people_are_added(shop):
    manifest = export(shop, EUROPE, DAY)
    found = {row["ad_id"]: (row["country"], row["segment"]) for row in read(shop, "additions")}
    assert found == {
        make_id(shop, "adult"): ("DE", "Kitchen"),
        make_id(shop, "second"): ("DE", "Kitchen"),
        make_id(shop, "french"): ("FR", "Home"),
    }
    assert {reason: count for reason, count in manifest["excluded"].items() if count} == {
        "opted_out": 2,
        "age_unknown": 1,
        "under_18": 1,
        "account_closed": 1,
        "country_not_allowed": 1,
    }


def test_segments_of_few_people_are_left_out(shop):
    manifest = export(shop, replace(EUROPE, minimum_segment=2), DAY)
    assert manifest["excluded"]["small_segment"] == 3
    assert read(shop, "additions") == []


def test_someone_without_recent_clicks_has_no_segment(shop):
    export(shop, WORLD, DAY)
    segments = {row["ad_id"]: row["segment"] for row in read(shop, "additions", WORLD)}
    assert segments[make_id(shop, "american", WORLD)] == "none"


def test_apps_go_out_under_every_address_of_the_person(shop):
    export(shop, EUROPE, DAY)
    installs = [(row["ad_id"], row["app_id"]) for row in read(shop, "app_installs")]
    assert sorted(installs) == sorted((make_id(shop, who), "app-1") for who in ("adult", "second"))


def test_purchases_go_out_under_the_address_that_bought(shop):
    export(shop, EUROPE, DAY)
    sold = {(row["ad_id"], row["category"], row["revenue_from"]) for row in read(shop, "conversions")}
    assert sold == {
        (make_id(shop, "adult"), "Kitchen", 20),
        (make_id(shop, "second"), "Kitchen", 0),
        (make_id(shop, "second"), "none", 0),
    }
    assert {row["week_start"] for row in read(shop, "conversions")} == {date(2024, 2, 26)}


def test_two_partners_share_no_identifier(shop):
    for partner in (EUROPE, WORLD):
        export(shop, partner, DAY)
    found = [ids(shop, "additions", partner) for partner in (EUROPE, WORLD)]
    assert [len(each) for each in found] == [3, 4]
    assert not found[0] & found[1]


def test_a_second_run_leaves_the_same_package(shop):
    first = export(shop, EUROPE, DAY)
    before = contents(folder(shop))
    assert export(shop, EUROPE, DAY) == first
    assert contents(folder(shop)) == before
    assert [path.name for path in folder(shop).parent.iterdir()] == [str(DAY)]
    assert shop.count("ledger.exports") == 1


def test_the_manifest_tells_the_truth_about_the_files(shop):
    export(shop, EUROPE, DAY)
    manifest = read_manifest(folder(shop))
    assert {path.name for path in folder(shop).iterdir()} == {*manifest["files"], "manifest.json"}
    assert (manifest["partner"], manifest["day"], manifest["kind"]) == ("adnet-eu", "2024-03-31", "opaque")
    assert manifest["period"] == {"first": "2024-03-02", "last": "2024-03-31"}
    assert manifest["conversions"] == {"first": "2024-02-26", "last": "2024-03-31"}
    assert manifest["follows"] is None
    assert manifest["identifiers"]["epoch"] == "2024Q1"
    assert not manifest["identifiers"]["is_reversible"]
    assert manifest["counts"] == {"additions": 3, "removals": 0, "app_installs": 2, "conversions": 3}
    for name, said in manifest["files"].items():
        table = pq.read_table(folder(shop) / name)
        contract = shop.contracts[manifest["schemas"][said["kind"]]["contract"]]
        assert said["xxh3_128"] == xxhash.xxh3_128((folder(shop) / name).read_bytes()).hexdigest()
        assert said["rows"] == table.num_rows
        assert table.schema.equals(contract.arrow_schema())


def test_a_fresh_package_verifies(shop):
    export(shop, EUROPE, DAY)
    assert verify(shop).failures == []


def test_rows_are_spread_over_shards_by_their_identifier(shop):
    export(shop, replace(WORLD, shards=3), DAY)
    manifest = read_manifest(folder(shop, WORLD))
    assert len(manifest["files"]) == 12
    for name, said in manifest["files"].items():
        found = pq.read_table(folder(shop, WORLD) / name)["ad_id"].to_pylist()
        hashes = [int.from_bytes(xxhash.xxh64_digest(ad_id.encode(), seed=42), signed=True) for ad_id in found]
        assert {number % 3 for number in hashes} <= {said["shard"]}
    assert len(ids(shop, "additions", WORLD)) == 4
    assert verify(shop, WORLD).failures == []


def test_a_csv_package_holds_the_same_rows(shop):
    export(shop, WORLD, DAY)
    expected = {kind: read(shop, kind, WORLD) for kind in KINDS}
    export(shop, replace(WORLD, format="csv"), DAY)
    assert {path.suffix for path in folder(shop, WORLD).iterdir()} == {".zst", ".json"}
    assert {kind: read(shop, kind, WORLD) for kind in KINDS} == expected
    assert verify(shop, WORLD).failures == []


@pytest.mark.parametrize("shards", [1, 3])
def test_slices_leave_the_same_rows_in_the_same_order(shop, monkeypatch, shards):
    partner = replace(WORLD, shards=shards)
    export(shop, partner, DAY)
    expected = {kind: read(shop, kind, partner) for kind in KINDS}
    monkeypatch.setattr("jobs.lake.packages.SLICE_ROWS", 1)
    export(shop, partner, DAY)
    assert {kind: read(shop, kind, partner) for kind in KINDS} == expected


def test_nothing_in_a_package_names_a_subject(shop):
    export(shop, WORLD, DAY)
    packed = b"".join(contents(folder(shop, WORLD)).values())
    assert not any(name in packed for name in (b"adult", b"second", b"french", b"guest"))


def test_every_package_is_in_the_register(shop):
    packages.run(shop, Days.single(DAY))
    packages.run(shop, Days.single(DAY))
    entries = {row["partner"]: row for row in shop.read_records("ledger.exports")}
    assert set(entries) == {"adnet-eu", "worldads"}
    entry = entries["adnet-eu"]
    manifest = read_manifest(folder(shop))
    assert entry["package"] == "adnet-eu/2024-03-31"
    assert (entry["state"], entry["kind"], entry["epoch"]) == ("sent", "opaque", "2024Q1")
    assert entry["key_id"] == manifest["identifiers"]["key_id"]
    assert entry["manifest_sha256"] == verify(shop).manifest_sha256
    assert json.loads(entry["excluded"])["opted_out"] == 2


def test_the_other_partners_get_theirs_when_one_fails(shop):
    export(shop, EUROPE, date(2024, 4, 1))
    with pytest.raises(UsageError, match=r"adnet-eu was sent the package of 2024-04-01"):
        packages.run(shop, Days.single(DAY))
    assert verify(shop, WORLD).failures == []


def test_one_partner_can_be_run_alone(shop):
    report = packages.run(shop, Days.single(DAY), part="worldads")
    assert [path.name for path in folder(shop).parent.parent.iterdir()] == ["worldads"]
    assert report.rows_out == sum(read_manifest(folder(shop, WORLD))["counts"].values())


def test_a_partner_of_another_kind_of_exchange_gets_no_package(shop):
    with pytest.raises(UsageError, match="gets no packages, because its kind is pair"):
        export(shop, Partner("clean-room", ("all",), kind="pair"), DAY)


def test_an_empty_lake_gives_an_empty_package(lake):
    assert set(export(lake, EUROPE, DAY)["counts"].values()) == {0}
    assert verify(lake).failures == []
