"""A list for a PAIR exchange: who is in it, what it shows, and that a publisher can trust it."""

import base64
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from pyarrow import parquet as pq
from pyrage import x25519

from jobs.errors import KeyRingError, UsageError
from jobs.exports import delivery
from jobs.exports.acknowledgements import acknowledge
from jobs.exports.packages import export_partner
from jobs.exports.pair.exchange import MINIMUM_LIST, ListTooSmallError
from jobs.exports.pair.packages import export_list
from jobs.exports.partners import Partner
from jobs.exports.verification import verify_package
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import open_keyring
from jobs.privacy.pair.commutative import derive_scalar, encrypt
from jobs.privacy.pair.keys import find_own_key
from jobs.privacy.pair.match_keys import make_seed
from jobs.privacy.signatures import open_signer
from tests.exports.conftest import DAY
from tests.exports.people import NEWS, SCOPE_START, fill_people, name_address, share

from .publisher import digest, make_secret, read_lines

SECRET = make_secret()


def export(lake, partner=NEWS, day=DAY, minimum=3):
    return export_list(lake, partner, day, rules=ExportRules(), minimum=minimum)


def folder(lake, partner=NEWS, day=DAY) -> Path:
    return Path(lake.home) / "exports" / partner.name / str(day)


def read(lake, partner=NEWS, day=DAY):
    return read_lines(folder(lake, partner, day) / "pair_identifiers-0000.csv")


def expect(lake, addresses, *, partner=NEWS, day=DAY, shared=SECRET):
    """The identifiers of addresses under our key."""
    key = find_own_key(open_keyring(lake.settings), partner.name, day, may_make=False)
    scalar = derive_scalar(key.secret)
    digits = [digest(SHA256(), address.lower().encode()).hex() for address in addresses]
    return {base64.b64encode(encrypt(make_seed(text, shared), scalar)).decode() for text in digits}


def public_key(lake):
    return open_signer(open_keyring(lake.settings)).public_key


@pytest.fixture
def ready(lake):
    """Eight people, five of whom may be exported."""
    fill_people(
        lake,
        range(8),
        {
            "p5": {"ads_opt_out": True},
            "p6": {"adult_from": DAY + timedelta(days=400)},
            "p7": {"email": None},
            "p1": {"email": "Jane.Doe@GMAIL.com"},
        },
    )
    share(lake, SECRET)
    return lake


def test_only_eligible_people_with_an_address_are_in_the_list(ready):
    manifest = export(ready)
    assert set(read(ready)) == expect(ready, [name_address(0), "jane.doe@gmail.com", *map(name_address, (2, 3, 4))])
    assert manifest["counts"] == {"pair_identifiers": 5}
    assert manifest["excluded"] == {
        "opted_out": 1,
        "under_18": 1,
        "age_unknown": 0,
        "account_closed": 0,
        "erasure_requested": 0,
        "country_not_allowed": 0,
        "consent_outdated": 0,
        "no_address": 1,
    }


def test_a_partner_gets_the_countries_it_may(ready):
    with pytest.raises(ListTooSmallError, match="our list for news-fr has 0 valid identifiers"):
        export(ready, Partner("news-fr", ("FR",), kind="pair"))


def test_people_count_once_however_many_addresses_they_have(lake):
    fill_people(lake, range(4), {"p2": {"person_id": "p1"}, "p3": {"person_id": "p1"}})
    share(lake, SECRET)
    with pytest.raises(ListTooSmallError, match="has 2 valid"):
        export(lake)
    export(lake, minimum=2)
    assert len(read(lake)) == 4


def test_a_list_is_sorted_by_what_is_encrypted_and_so_tells_nothing_of_its_source(ready):
    export(ready)
    points = [base64.b64decode(line) for line in read(ready)]
    assert points == sorted(points)


def test_the_order_of_people_does_not_change_the_list(lake):
    share(lake, SECRET)
    files = []
    for numbers in (range(20), reversed(range(20))):
        fill_people(lake, numbers)
        export(lake)
        files.append((folder(lake) / "pair_identifiers-0000.csv").read_bytes())
    assert files[0] == files[1]


def test_running_it_again_leaves_the_same_package(ready):
    first = export(ready)
    contents = {path.name: path.read_bytes() for path in folder(ready).iterdir()}
    assert export(ready) == first
    assert {path.name: path.read_bytes() for path in folder(ready).iterdir()} == contents
    assert [path.name for path in folder(ready).parent.iterdir()] == [str(DAY)]


def test_two_partners_two_keys_and_two_shared_secrets_have_no_identifier_in_common(ready):
    other = Partner("news-de", ("all",), kind="pair", format="csv")
    share(ready, SECRET, other.name)
    share(ready, make_secret(), first=SCOPE_START + timedelta(days=20))
    share(ready, SECRET, first=DAY + timedelta(days=200))
    days = (DAY, DAY + timedelta(days=15), DAY + timedelta(days=200))
    lists = []
    for partner, day in ((other, DAY), *((NEWS, day) for day in days)):
        export(ready, partner, day)
        lists.append(set(read(ready, partner, day)))
    for number, one in enumerate(lists):
        assert len(one) >= 5
        assert not any(one & another for another in lists[number + 1 :])


def test_lists_under_the_same_keys_can_be_told_apart_by_who_left_only(ready):
    export(ready)
    before = set(read(ready))
    fill_people(ready, range(8), {"p0": {"ads_opt_out": True}, "p7": {"email": None}})
    export(ready, day=DAY + timedelta(days=1))
    after = set(read(ready, day=DAY + timedelta(days=1)))
    assert expect(ready, [name_address(0)]) <= before - after


def test_a_clean_room_that_adds_the_third_layer_needs_no_shared_secret(lake):
    fill_people(lake, range(4))
    partner = Partner("neutral", ("all",), kind="pair", format="csv", third_layer="clean-room")
    manifest = export(lake, partner)
    assert set(read(lake, partner)) == expect(lake, map(name_address, range(4)), partner=partner, shared=b"")
    assert manifest["pair"]["shared_key_id"] is None
    assert manifest["pair"]["third_layer"] == "clean-room"


def test_a_small_list_is_refused_and_nothing_is_written(ready):
    assert MINIMUM_LIST == 1000
    with pytest.raises(ListTooSmallError, match=r"has 5 valid identifiers; a match needs 1,000 people in either list"):
        export_list(ready, NEWS, DAY, rules=ExportRules())
    assert not list(Path(ready.home, "exports").rglob("*.csv"))
    assert ready.count("ledger.exports") == 0


def test_without_a_shared_secret_nothing_is_written(ready):
    with pytest.raises(
        KeyRingError, match=r"no secret shared with news-fr for 2024-05-01.*sophilux pair secret news-fr"
    ):
        export(ready, day=date(2024, 5, 1))
    assert not [path for path in Path(ready.home, "exports").rglob("*") if path.is_file()]


def test_a_destroyed_key_makes_no_list(ready):
    export(ready)
    ring = open_keyring(ready.settings)
    own = next(
        entry.purpose for entry in ring.entries() if entry.purpose.startswith("pair/") and "shared" not in entry.purpose
    )
    ring.destroy(own)
    with pytest.raises(KeyRingError, match="was destroyed"):
        export(ready, day=DAY + timedelta(days=1))
    assert not folder(ready, day=DAY + timedelta(days=1)).exists()


def test_an_earlier_day_is_not_sent_after_a_later_one(ready):
    export(ready)
    with pytest.raises(UsageError, match="go forward only"):
        export(ready, day=DAY - timedelta(days=1))


@pytest.mark.parametrize("format_", ["csv", "parquet"])
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_the_publisher_can_verify_a_list(ready, format_, is_encrypted):
    identity = x25519.Identity.generate() if is_encrypted else None
    recipients = (str(identity.to_public()),) if identity else ()
    partner = Partner("news-fr", ("all",), kind="pair", format=format_, encrypt_to=recipients)
    export(ready, partner)
    verdict = verify_package(folder(ready), public_key(ready), identity)
    assert verdict.failures == []
    assert verdict.manifest["counts"] == {"pair_identifiers": 5}
    assert verdict.manifest["pair"] == {
        "protocol": "IAB Tech Lab PAIR 1.1",
        "role": "advertiser",
        "group": "ristretto255",
        "shared_key_id": verdict.manifest["pair"]["shared_key_id"],
        "third_layer": "publisher",
        "matched_within": {"first": "2024-03-22", "last": "2024-04-20"},
    }
    names = {path.name for path in folder(ready).iterdir()}
    suffix = ".age" if is_encrypted else ""
    assert names == {f"pair_identifiers-0000.{format_}{suffix}", f"manifest.json{suffix}"}


def test_a_parquet_list_has_the_columns_of_its_contract(ready):
    export(ready, Partner("news-fr", ("all",), kind="pair"))
    schema = pq.read_schema(folder(ready) / "pair_identifiers-0000.parquet")
    assert schema.equals(ready.contracts["exports.pair_identifiers"].arrow_schema())


def test_a_changed_list_does_not_verify(ready):
    export(ready)
    path = folder(ready) / "pair_identifiers-0000.csv"
    lines = read_lines(path)
    path.write_text("\n".join(["A" * 43 + "=", *lines[1:]]) + "\n")
    failures = verify_package(folder(ready), public_key(ready)).failures
    assert any("is not the file that was signed" in sentence for sentence in failures)


def test_nothing_of_a_package_shows_an_address_a_hash_of_one_a_subject_or_a_key(ready):
    export(ready)
    packed = b"".join(path.read_bytes() for path in folder(ready).iterdir())
    digests = [digest(SHA256(), name_address(number).lower().encode()) for number in range(8)]
    own = find_own_key(open_keyring(ready.settings), NEWS.name, DAY, may_make=False).secret
    shown = [b"person", b"example", b"doe", b'"p1"', *digests, SECRET, own, derive_scalar(own)]
    spelled = [form for value in shown for form in (value, value.hex().encode(), base64.b64encode(value))]
    assert not any(form.lower() in packed.lower() for form in spelled)


def test_the_shops_rules_hold_for_lists(ready):
    rules = ExportRules(policy_valid_from=DAY)
    with pytest.raises(ListTooSmallError, match="has 0 valid identifiers"):
        export_list(ready, NEWS, DAY, rules=rules, minimum=3)


def test_a_list_is_not_acknowledged(ready):
    export(ready)
    with pytest.raises(UsageError, match="gets whole lists, of which none builds on another"):
        acknowledge(ready, NEWS.name, DAY)
    assert ready.read_records("ledger.exports")[0]["state"] == "sent"


def test_a_partner_who_was_sent_packages_gets_no_lists(ready):
    opaque = Partner(NEWS.name, ("all",), minimum_segment=1)
    export_partner(ready, opaque, DAY, rules=ExportRules())
    with pytest.raises(UsageError, match="was sent packages of kind opaque and is of kind pair now"):
        export(ready, day=DAY + timedelta(days=1))
    assert not folder(ready, day=DAY + timedelta(days=1)).exists()


def test_every_list_is_in_the_register(ready):
    export(ready)
    export(ready, day=DAY + timedelta(days=1))
    entries = sorted(ready.read_records("ledger.exports"), key=lambda row: row["day"])
    said = [(row["partner"], row["kind"], row["state"], row["addition_rows"]) for row in entries]
    assert said == [("news-fr", "pair", "superseded", 5), ("news-fr", "pair", "sent", 5)]
    assert json.loads(entries[0]["excluded"])["opted_out"] == 1


def test_a_crash_leaves_no_half_package(ready, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(delivery, "put_in_place", crash)
    with pytest.raises(KeyboardInterrupt):
        export(ready)
    assert list(folder(ready).parent.iterdir()) == []
    assert ready.count("ledger.exports") == 0


def test_a_list_is_delivered_with_its_manifest(ready, tmp_path):
    partner = Partner("news-fr", ("all",), kind="pair", format="csv", deliver_to=f"file://{tmp_path}/out")
    export(ready, partner)
    assert verify_package(tmp_path / "out" / str(DAY), public_key(ready)).failures == []
