"""The audit finds each leak planted alone into a copy of a clean lake, and nothing in the clean lake.

Each leak is put where a real mistake would put it. The test of the audit is that a clean lake is clean, and that with
one leak exactly the file with the leak is named, by its kind, without a word of what was found.
"""

import json
import random
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyrage
import pytest
from cryptography.hazmat.primitives import hashes
from pyarrow import parquet

from jobs.audit.identifiers import Identifiers
from jobs.audit.leaks import audit_leaks, belongs_to, search_published
from jobs.audit.needles import Kind
from jobs.audit.vault_values import read_identifiers
from jobs.exports.partners import PLATFORM, load_partners
from tests.audit.planted import (
    CANARY,
    CARD,
    CHINESE_ID,
    LEAKS,
    STRANGER,
    STRANGERS_PHONE,
    a_file_of,
    digest,
    into_a_file_name,
    into_a_folder_name,
    rewrite,
    write,
)  # fmt: skip

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def person(demo):
    """A customer of the demo as the vault knows them."""
    lake, _ = demo
    accounts = lake.read("vault.customers").where("phone is not null and full_name is not null")
    account = accounts.sort("customer_id").first()
    (address, *_) = lake.read("vault.addresses").where(f"subject_id = '{account.subject_id}'").collect()
    return {
        "email": account.email.lower(),
        "name": account.full_name,
        "phone": account.phone,
        "account": account.customer_id,
        "street": address.street,
    }


@pytest.fixture(scope="module")
def needles(demo):
    lake, _ = demo
    identifiers = Identifiers()
    identifiers.add_canaries([CANARY])
    read_identifiers(lake, identifiers)
    return identifiers.build()


@pytest.fixture
def home(demo, tmp_path) -> Path:
    """A copy of what the demo publishes, without its large tables."""
    lake, _ = demo
    left_out = shutil.ignore_patterns("landing", "quarantine", "vault", "clicks", "sessions", "recommended_for_you")
    return Path(shutil.copytree(lake.home, tmp_path / "shop", ignore=left_out))


@pytest.fixture(scope="module")
def platforms(demo):
    lake, _ = demo
    return [partner.name for partner in load_partners(lake.settings.partners) if partner.kind == PLATFORM]


@pytest.fixture
def search(home, needles, platforms):
    """What the audit finds in the copy."""
    return lambda: search_published(str(home), needles, platforms=platforms)


def test_the_demo_is_clean(demo, platforms):
    lake, _ = demo
    report = audit_leaks(lake, canaries=[CANARY], platforms=platforms)
    assert report.search.findings == []
    assert report.search.files > 100
    assert report.search.restricted_files > 50
    assert report.search.content_bytes > 500_000
    assert report.searched[Kind.EMAIL] > 300
    assert report.searched[Kind.CANARY] == 1


EACH = [(kind, leak) for kind, leaks in LEAKS.items() for leak in leaks]


def snapshot(home):
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


@pytest.mark.parametrize(("kind", "leak"), EACH, ids=[leak.__name__ for _, leak in EACH])
def test_each_leak_is_found_where_it_is_and_not_shown(home, search, person, kind, leak):
    before = snapshot(home)
    leak(home, person)
    changed = {file for file, content in snapshot(home).items() if before.get(file) != content}
    findings = search().findings
    assert kind in {finding.kind for finding in findings}
    assert {finding.kind for finding in findings} <= {kind, Kind.LIKE_EMAIL, Kind.LIKE_PHONE}
    if leak not in (into_a_file_name, into_a_folder_name):
        assert {finding.file for finding in findings} <= changed
    shown = json.dumps([asdict(finding) for finding in findings], ensure_ascii=False)
    for value in (
        *person.values(),
        CARD,
        CHINESE_ID,
        CANARY,
        STRANGER,
        STRANGERS_PHONE,
        quote(person["email"], safe=""),
    ):
        assert value.lower() not in shown.lower()


def test_a_finding_says_where(home, search, person):
    rewrite(a_file_of(home), "name", [person["email"]], write_statistics=False)
    write(home, "exports/x.csv", "a\n" * 70_000 + person["email"] + "\n" + "b\n" * 70_000)
    write(home, f"exports/{person['email']}/list.csv", "a\n")
    findings = search().findings
    masked = f"exports/{person['email'][0]}… ({len(person['email'])} characters)"
    assert [(f.file, f.part, f.times) for f in findings] == [
        (masked, "name", 1),
        ("exports/x.csv", "line 70,001", 1),
        (str(a_file_of(home).relative_to(home)), "column name, row group 0", 1),
    ]


def test_encrypted_packages_are_counted_and_damaged_files_are_findings(home, search):
    recipient = pyrage.x25519.Identity.generate().to_public()
    write(home, "exports/adnet-eu/2026-03-09/additions-0000.csv.zst.age", pyrage.encrypt(b"x", [recipient]))
    broken = a_file_of(home)
    broken.write_bytes(broken.read_bytes()[:-20])
    report = search()
    assert report.sealed == 1
    assert [(f.file, f.kind) for f in report.findings] == [(str(broken.relative_to(home)), Kind.UNREADABLE)]


def test_unkeyed_hashes_are_accepted_only_where_a_platform_gets_them(home, needles, platforms, person):
    rows = f"ad_id,country\n{digest(person, hashes.SHA256()).hex()},DE\n"
    for folder in ("exports/google/2026-03-09", "exports/adnet-eu/2026-03-09"):
        write(home, f"{folder}/additions-0000.csv", rows)
    platforms = [*platforms, "google"]
    findings = search_published(str(home), needles, platforms=platforms).findings
    assert [(f.file, f.kind) for f in findings] == [("exports/adnet-eu/2026-03-09/additions-0000.csv", Kind.DIGEST)]
    write(home, "exports/google/2026-03-09/more.csv", person["email"])
    assert Kind.EMAIL in {f.kind for f in search_published(str(home), needles, platforms=platforms).findings}


@pytest.mark.parametrize(
    ("path", "is_theirs"),
    [
        ("exports/google/2026-03-09/manifest.json", True),
        ("exports/google-2/2026-03-09/manifest.json", False),
        ("ledger/audience_members/w-1/partner=google/part-0.parquet", False),
        ("lake/partner=google/part-0.parquet", False),
    ],
)
def test_what_belongs_to_a_platform(path, is_theirs):
    assert belongs_to(path, "google") is is_theirs


def test_random_ids_and_numbers_of_every_kind_are_no_finding(home, search):
    numbers = random.Random(7)
    size = 60_000
    table = pa.table({
        "fingerprint": pa.array([numbers.getrandbits(64) - 2**63 for _ in range(size)]),
        "pseudonym": [f"{numbers.getrandbits(128):032x}" for _ in range(size)],
        "run_id": [f"{numbers.getrandbits(64):016x}" for _ in range(size)],
        "score": [numbers.random() for _ in range(size)],
        "score_text": [str(numbers.random()) for _ in range(size)],
        "at": [datetime.fromtimestamp(numbers.randrange(10**9, 2 * 10**9), UTC).isoformat() for _ in range(size)],
        "millis": [1_700_000_000_000 + numbers.randrange(10**10) for _ in range(size)],
        "raw": [numbers.randbytes(24) for _ in range(size)],
    })  # fmt: skip
    parquet.write_table(table, home / "random.parquet")
    table.select(["score", "at", "millis", "score_text"]).to_pandas().to_csv(home / "random.csv")
    (home / "random.bin").write_bytes(numbers.randbytes(4_000_000))
    assert search().findings == []
