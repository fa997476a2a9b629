"""A report never writes over anything else."""

import json
from datetime import UTC, datetime

import pytest

from jobs.errors import UsageError
from jobs.report.folders import check_target, publish

AT = datetime(2026, 3, 9, tzinfo=UTC)
FIRST = {"index.html": b"one", "data/a.js": b"a", "data/b.js": b"b"}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "shop" / "lake").mkdir(parents=True)
    return str(tmp_path / "shop")


def read_all(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_report_takes_the_place_of_the_old_and_no_file_stays_behind(tmp_path):
    out = tmp_path / "out"
    publish(str(out), FIRST, made_at=AT)
    publish(str(out), {"index.html": b"two", "data/a.js": b"aa"}, made_at=AT)
    files = read_all(out)
    marker = json.loads(files.pop("report.json"))
    assert files == {"index.html": b"two", "data/a.js": b"aa"}
    assert marker["files"] == ["data/a.js", "index.html"]


def test_files_of_others_in_the_folder_stay(tmp_path):
    out = tmp_path / "out"
    publish(str(out), FIRST, made_at=AT)
    (out / "notes.txt").write_text("mine")
    publish(str(out), {"index.html": b"two"}, made_at=AT)
    assert set(read_all(out)) == {"index.html", "notes.txt", "report.json"}


def test_a_file_of_others_is_never_written_over(tmp_path):
    out = tmp_path / "out"
    publish(str(out), {"index.html": b"one"}, made_at=AT)
    (out / "data").mkdir()
    (out / "data" / "a.js").write_text("mine")
    with pytest.raises(UsageError, match=r"holds data/a\.js, which belongs to no report"):
        publish(str(out), FIRST, made_at=AT)
    assert (out / "index.html").read_bytes() == b"one"


@pytest.mark.parametrize(
    "marker", [None, "{", "[]", '{"made_by": "somebody", "files": []}', '{"made_by": "sophilux report"}']
)
def test_a_folder_that_is_no_report_is_refused_and_left_alone(tmp_path, home, marker):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "index.html").write_text("my thesis")
    if marker is not None:
        (out / "report.json").write_text(marker)
    before = read_all(out)
    with pytest.raises(UsageError, match="holds something that is no report"):
        check_target(str(out), home)
    with pytest.raises(UsageError, match="holds something that is no report"):
        publish(str(out), FIRST, made_at=AT)
    assert read_all(out) == before


def test_a_marker_cannot_name_files_outside(tmp_path):
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("keep me")
    publish(str(out), {"index.html": b"one"}, made_at=AT)
    marker = {"made_by": "sophilux report", "files": ["../victim", str(victim), "index.html"]}
    (out / "report.json").write_text(json.dumps(marker))
    publish(str(out), {"index.html": b"two"}, made_at=AT)
    assert victim.read_text() == "keep me"


@pytest.mark.parametrize(
    "below", ["", "/lake", "/marts/report", "/quality", "/vault/x", "/.locks", "/_scratch/x", "/.."]
)
def test_the_lakes_own_places_are_refused(home, below):
    with pytest.raises(UsageError, match="give the report a folder"):
        check_target(f"{home}{below}", home)


def test_a_link_into_the_lake_is_refused(tmp_path, home):
    link = tmp_path / "link"
    link.symlink_to(f"{home}/lake")
    with pytest.raises(UsageError, match="give the report a folder"):
        check_target(str(link), home)


def test_a_file_is_refused(tmp_path, home):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        check_target(str(tmp_path / "file"), home)


@pytest.mark.parametrize("below", ["/report", "/reports/2026"])
def test_a_folder_of_its_own_in_the_home_or_beside_it_is_fine(home, below):
    assert check_target(f"{home}{below}", home) == f"{home}{below}"
    assert check_target(f"{home}-pages", home) == f"{home}-pages"
