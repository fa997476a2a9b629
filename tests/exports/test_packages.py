"""Packages for partners hold who may be in them, under identifiers of their own."""

import json
from datetime import date
from pathlib import Path

import pytest
import xxhash
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from pyarrow import parquet as pq

from jobs.exports import packages
from jobs.exports.packages import export_partner, name_epoch
from jobs.exports.partners import Partner
from jobs.lake import Days
from jobs.privacy.keyring import KeyRing, partner_purpose

from .conftest import DAY

EUROPE = Partner("adnet-eu", ("DE", "FR"))
WORLD = Partner("worldads", ("all",))


def folder(lake, partner=EUROPE, day=DAY):
    return Path(lake.home) / "exports" / partner.name / str(day)


def read(lake, name, partner=EUROPE, day=DAY):
    return pq.read_table(folder(lake, partner, day) / f"{name}.parquet").to_pylist()


def make_id(lake, subject_id, partner=EUROPE, day=DAY):
    secret = KeyRing(lake.settings.keyring).key(partner_purpose(partner.name, name_epoch(day))).secret
    digest = HMAC(secret, SHA256())
    digest.update(subject_id.encode())
    return digest.finalize().hex()[:32]


def test_only_eligible_people_are_in_the_audience(shop):
    manifest = export_partner(shop, EUROPE, DAY)
    found = {row["ad_id"]: (row["country"], row["segment"]) for row in read(shop, "audience")}
    assert found == {
        make_id(shop, "adult"): ("DE", "Kitchen"),
        make_id(shop, "second"): ("DE", "Kitchen"),
        make_id(shop, "french"): ("FR", "Home"),
    }
    assert manifest["excluded"] == {
        "opted_out": 2,
        "age_unknown": 1,
        "under_18": 1,
        "account_closed": 1,
        "country_not_allowed": 1,
    }


def test_someone_without_recent_clicks_has_no_segment(shop):
    export_partner(shop, WORLD, DAY)
    segments = {row["ad_id"]: row["segment"] for row in read(shop, "audience", WORLD)}
    assert segments[make_id(shop, "american", WORLD)] == "none"


def test_apps_go_out_under_every_address_of_the_person(shop):
    export_partner(shop, EUROPE, DAY)
    installs = {(row["ad_id"], row["app_id"], row["installed_on"]) for row in read(shop, "app_installs")}
    assert installs == {(make_id(shop, who), "app-1", date(2024, 1, 5)) for who in ("adult", "second")}


def test_two_partners_share_no_identifier(shop):
    packages.run(shop, Days.single(DAY))
    ids = [{row["ad_id"] for row in read(shop, "audience", partner)} for partner in (EUROPE, WORLD)]
    assert [len(found) for found in ids] == [3, 4]
    assert not ids[0] & ids[1]


def test_the_quarter_changes_the_identifiers_and_a_day_does_not(shop):
    days = (date(2024, 3, 30), DAY, date(2024, 4, 1))
    for day in days:
        export_partner(shop, WORLD, day)
    before, same, after = ({row["ad_id"] for row in read(shop, "audience", WORLD, day)} for day in days)
    assert before == same
    assert not same & after


def test_a_second_run_leaves_the_same_package(shop):
    first = export_partner(shop, EUROPE, DAY)
    files = {path.name: path.read_bytes() for path in folder(shop).iterdir()}
    assert export_partner(shop, EUROPE, DAY) == first
    assert {path.name: path.read_bytes() for path in folder(shop).iterdir()} == files
    assert [path.name for path in folder(shop).parent.iterdir()] == [str(DAY)]


def test_the_manifest_tells_the_truth_about_the_files(shop):
    export_partner(shop, EUROPE, DAY)
    manifest = json.loads((folder(shop) / "manifest.json").read_bytes())
    assert {path.name for path in folder(shop).iterdir()} == {*manifest["files"], "manifest.json"}
    assert (manifest["partner"], manifest["day"], manifest["epoch"]) == ("adnet-eu", "2024-03-31", "2024Q1")
    for name, said in manifest["files"].items():
        path = folder(shop) / name
        table = pq.read_table(path)
        assert said["bytes"] == path.stat().st_size
        assert said["xxh3_128"] == xxhash.xxh3_128(path.read_bytes()).hexdigest()
        assert said["rows"] == table.num_rows
        assert [column["name"] for column in said["schema"]] == table.column_names
        assert table.schema.equals(shop.contracts[said["contract"]].arrow_schema())
        assert said["contract_version"] == shop.contracts[said["contract"]].version
        assert table.column("ad_id").to_pylist() == sorted(table.column("ad_id").to_pylist())


def test_nothing_in_a_package_names_a_subject(shop):
    export_partner(shop, WORLD, DAY)
    packed = b"".join(path.read_bytes() for path in folder(shop, WORLD).iterdir())
    assert not any(name in packed for name in (b"adult", b"second", b"french", b"guest"))


def test_every_package_is_in_the_register(shop):
    packages.run(shop, Days.single(DAY))
    packages.run(shop, Days.single(DAY))
    entries = sorted(shop.read("ledger.exports").collect(), key=lambda row: row["partner"])
    said = [(row["partner"], row["package"], row["audience_rows"], row["app_install_rows"]) for row in entries]
    assert said == [
        ("adnet-eu", "adnet-eu/2024-03-31", 3, 2),
        ("worldads", "worldads/2024-03-31", 4, 2),
    ]
    assert json.loads(entries[0]["excluded"])["opted_out"] == 2


def test_a_crash_leaves_no_half_package(shop, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(packages, "count_excluded", crash)
    with pytest.raises(KeyboardInterrupt):
        export_partner(shop, EUROPE, DAY)
    assert list(folder(shop).parent.iterdir()) == []
    assert shop.count("ledger.exports") == 0


def test_a_crash_keeps_the_last_package(shop, monkeypatch):
    first = export_partner(shop, EUROPE, DAY)
    with monkeypatch.context() as patch:
        patch.setattr(packages, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_partner(shop, EUROPE, DAY)
    told = {name: value for name, value in first.items() if name != "excluded"}
    assert json.loads((folder(shop) / "manifest.json").read_bytes()) == told


def test_what_a_killed_run_left_is_cleared_by_the_next(shop):
    left = folder(shop).parent / f".{DAY}.0123456789abcdef"
    left.mkdir(parents=True)
    (left / "audience.parquet").write_bytes(b"half")
    export_partner(shop, EUROPE, DAY)
    assert [path.name for path in folder(shop).parent.iterdir()] == [str(DAY)]


def test_many_rows_come_in_slices_and_stay_sorted(shop, monkeypatch):
    monkeypatch.setattr("jobs.lake.packages.SLICE_ROWS", 2)
    export_partner(shop, WORLD, DAY)
    ids = [row["ad_id"] for row in read(shop, "audience", WORLD)]
    assert len(ids) == 4
    assert ids == sorted(ids)


def test_an_empty_lake_gives_an_empty_package(lake):
    manifest = export_partner(lake, EUROPE, DAY)
    assert [file["rows"] for file in manifest["files"].values()] == [0, 0]


def test_epochs_are_calendar_quarters():
    days = (date(2026, 1, 1), date(2026, 3, 31), date(2026, 4, 1), date(2026, 12, 31))
    assert [name_epoch(day) for day in days] == ["2026Q1", "2026Q1", "2026Q2", "2026Q4"]
