"""One search serves more than the audit: whatever is looked for, anywhere below a home."""

import json

import pyarrow as pa
from pyarrow import parquet

from jobs.audit.finder import Finder
from jobs.audit.identifiers import Identifiers
from jobs.audit.needles import Kind
from jobs.audit.search import search_home

SUBJECT = "0013116e19d2616163c4f9d1e5525396"
EMAIL = "ada.birkenfeld@example.com"


def search(home, *, restricted=False, with_patterns=True, **kinds):
    identifiers = Identifiers()
    for kind, values in kinds.items():
        identifiers.add(Kind[kind], values)
    finder = Finder(identifiers.build(), with_patterns=with_patterns)
    report = search_home(str(home), finder, restricted=restricted)
    return {(finding.file, finding.part, finding.kind): finding.times for finding in report.findings}


def test_a_person_is_found_in_every_zone_by_whatever_identifies_them(tmp_path):
    for folder in ("landing/clickstream", "lake/clicks", "lake/clicks/_delta_log"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "landing/clickstream/a.jsonl").write_text("{}\n" + json.dumps({"email": "Ada.Birkenfeld@Example.com"}))
    table = pa.table({"subject_id": ["ffffffffffffffffffffffffffffffff", SUBJECT]})
    parquet.write_table(table, tmp_path / "lake/clicks/part-0.parquet", write_statistics=False)
    predicate = {"commitInfo": {"predicate": f"subject_id in ('{SUBJECT}')"}}
    (tmp_path / "lake/clicks/_delta_log/00000000000000000001.json").write_text(json.dumps(predicate))
    everything = search(tmp_path, restricted=True, EMAIL=[EMAIL], PSEUDONYM=[SUBJECT])
    assert everything == {
        ("lake/clicks/_delta_log/00000000000000000001.json", "line 1", Kind.PSEUDONYM): 1,
        ("lake/clicks/part-0.parquet", "column subject_id, row group 0", Kind.PSEUDONYM): 1,
        ("landing/clickstream/a.jsonl", "line 2", Kind.EMAIL): 1,
    }
    published = search(tmp_path, EMAIL=[EMAIL], PSEUDONYM=[SUBJECT])
    assert published == {place: times for place, times in everything.items() if not place[0].startswith("landing")}


def test_other_people_are_no_finding_of_a_search_without_patterns(tmp_path):
    (tmp_path / "a.csv").write_text("somebody.else@example.com,4111111111111111,+49 30 23125001,11010519491231002X\n")
    assert search(tmp_path, with_patterns=False, EMAIL=[EMAIL]) == {}
    assert {kind for _, _, kind in search(tmp_path, EMAIL=[EMAIL])} == {
        Kind.LIKE_EMAIL, Kind.CARD, Kind.LIKE_PHONE, Kind.CHINESE_ID,
    }  # fmt: skip


def test_every_line_of_a_long_file_counts_once(tmp_path):
    (tmp_path / "a.txt").write_text(f"{'x' * 60}\n{EMAIL}\n" * 60_000)
    assert search(tmp_path, EMAIL=[EMAIL]).keys() >= {("a.txt", "line 2", Kind.EMAIL)}
    assert sum(search(tmp_path, EMAIL=[EMAIL]).values()) == 60_000


def test_files_hidden_or_without_a_name_ending_are_read(tmp_path):
    (tmp_path / ".scratch").mkdir()
    (tmp_path / ".scratch" / ".hidden").write_text(EMAIL)
    (tmp_path / "README").write_text(EMAIL)
    assert {file for file, _, _ in search(tmp_path, EMAIL=[EMAIL])} == {".scratch/.hidden", "README"}


def test_names_of_columns_and_metadata_that_leak_are_not_shown(tmp_path):
    table = pa.table({EMAIL: ["x"]}).replace_schema_metadata({EMAIL: "x"})
    parquet.write_table(table, tmp_path / "a.parquet")
    found = search(tmp_path, EMAIL=[EMAIL])
    assert found
    assert not [part for _, part, _ in found if EMAIL in part]


def test_an_empty_home_has_nothing(tmp_path):
    assert search(tmp_path, EMAIL=[EMAIL]) == {}
