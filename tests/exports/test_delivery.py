"""Packages reach any place as a whole, are tried again, and leave nothing of a failed try that looks like one."""

import os
import tempfile
import urllib.request
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jobs.errors import SophiluxError
from jobs.exports import delivery
from jobs.exports.verification import verify_package
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer

from .conftest import DAY
from .reading import EUROPE, contents, export, folder

PLACE = "memory://partners/adnet-eu"


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """An empty object store, and no pauses between tries."""
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 0)
    system = MemoryFileSystem()
    for path in system.find("/"):
        system.rm(path)
    yield system
    for path in system.find("/"):
        system.rm(path)


@pytest.fixture
def partner():
    return replace(EUROPE, deliver_to=PLACE)


def delivered(system, day=DAY):
    return {path.rpartition("/")[2]: system.cat_file(path) for path in system.find(f"/partners/adnet-eu/{day}")}


def test_a_delivered_package_is_the_one_at_home(shop, partner, memory):
    export(shop, partner, DAY)
    assert delivered(memory) == contents(folder(shop))


def test_a_second_export_replaces_the_delivered_package(shop, partner, memory):
    export(shop, partner, DAY)
    memory.pipe_file(f"/partners/adnet-eu/{DAY}/additions-0007.parquet", b"of other shards")
    export(shop, partner, DAY)
    assert delivered(memory) == contents(folder(shop))


def test_what_a_crashed_delivery_left_is_cleared_on_any_day(shop, partner, memory):
    half = DAY - timedelta(days=1)
    for day in (half, DAY):
        memory.pipe_file(f"/partners/adnet-eu/{day}/additions-0000.parquet", b"half")
        memory.pipe_file(f"/partners/adnet-eu/{day}/manifest.json.unfinished", b"{")
    memory.pipe_file("/partners/adnet-eu/2024-01-01/manifest.json", b"{}")
    memory.pipe_file("/partners/adnet-eu/notes/readme.txt", b"the partner's own")
    export(shop, partner, DAY)
    assert delivered(memory) == contents(folder(shop))
    assert delivered(memory, half) == {}
    assert delivered(memory, "2024-01-01") == {"manifest.json": b"{}"}
    assert memory.exists("/partners/adnet-eu/notes/readme.txt")


def test_a_store_that_fails_now_and_then_is_tried_again(shop, partner, memory, monkeypatch):
    tries = []
    put_file = MemoryFileSystem.put_file

    def put_sometimes(self, source, target, **options):
        tries.append(target)
        if len(tries) % 3:
            raise ConnectionError("try again")
        return put_file(self, source, target, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_sometimes)
    export(shop, partner, DAY)
    assert delivered(memory) == contents(folder(shop))
    assert len(tries) == 3 * 5


@pytest.mark.parametrize("fails_after", range(5))
def test_a_delivery_that_ends_anywhere_leaves_no_package(shop, partner, memory, monkeypatch, fails_after):
    export(shop, partner, DAY)
    with monkeypatch.context() as patch:
        sent = []
        put_file = MemoryFileSystem.put_file

        def put_some(self, source, target, **options):
            if len(sent) == fails_after:
                raise ConnectionError("secret://user:password@host")
            sent.append(target)
            return put_file(self, source, target, **options)

        patch.setattr(MemoryFileSystem, "put_file", put_some)
        with pytest.raises(SophiluxError, match=r"could not be delivered \(ConnectionError\)") as error:
            export(shop, partner, DAY)
        assert "password" not in str(error.value)
    assert len(delivered(memory)) == fails_after
    assert "manifest.json" not in delivered(memory)
    export(shop, partner, DAY)
    assert delivered(memory) == contents(folder(shop))


def test_a_package_that_could_not_be_delivered_was_not_sent(shop, partner, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "put_file", lambda *_, **__: 1 / 0)
    with pytest.raises(SophiluxError, match="deliver_to"):
        export(shop, partner, DAY)
    assert shop.count("ledger.exports") == 0


def test_a_folder_of_this_machine_is_a_place_too(shop, tmp_path):
    export(shop, replace(EUROPE, deliver_to=f"file://{tmp_path}/out"), DAY)
    assert contents(tmp_path / "out" / str(DAY)) == contents(folder(shop))


def test_an_unknown_place_is_told_in_one_line(shop):
    with pytest.raises(SophiluxError, match="could not be delivered") as error:
        export(shop, replace(EUROPE, deliver_to="carrier-pigeon://roof"), DAY)
    assert "\n" not in str(error.value)


@pytest.fixture
def bucket(monkeypatch):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("partners")
    yield "s3://partners/adnet-eu"
    server.stop()


def test_packages_are_delivered_to_s3(shop, bucket, tmp_path, monkeypatch):
    partner = replace(EUROPE, deliver_to=bucket)
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    store.pipe_file(f"partners/adnet-eu/{DAY}/left.parquet", b"of a crashed delivery")
    export(shop, partner, DAY)
    export(shop, partner, DAY)
    store.invalidate_cache()
    store.get(f"partners/adnet-eu/{DAY}/", f"{tmp_path}/got/", recursive=True)
    got = Path(tmp_path, "got")
    assert contents(got) == contents(folder(shop))
    public_key = open_signer(open_keyring(shop.settings)).public_key
    assert verify_package(got, public_key).failures == []


def test_a_package_of_a_lake_on_s3_is_whole_or_absent(shop, bucket, tmp_path):
    """A remote home is written through Arrow's own file system, from a draft on this machine."""
    export(shop)
    target = f"{bucket}/exports/{DAY}"
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    store.pipe_file(f"partners/adnet-eu/exports/{DAY}/left.parquet", b"of a crashed run")
    with delivery.draft_folder(target) as draft:
        for name, content in contents(folder(shop)).items():
            (draft / name).write_bytes(content)
        assert delivery.put_in_place(draft, target) == draft
        store.invalidate_cache()
        found = [path for path in store.find(f"partners/adnet-eu/exports/{DAY}") if "." in path.rpartition("/")[2]]
        got = {path.rpartition("/")[2]: store.cat_file(path) for path in found}
        assert got == contents(folder(shop))
    assert not draft.exists()


@pytest.mark.parametrize("day", ["2024-03-31", "2024-04-01", "2023-12-01"])
def test_drafts_of_killed_runs_are_removed_by_the_partners_next_one_of_any_day(tmp_path, monkeypatch, day):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = "s3://bucket/exports"
    with delivery.draft_folder(f"{home}/adnet-eu/2024-03-31") as draft:
        assert draft.stat().st_mode & 0o777 == 0o700
        left = draft.with_name(draft.name[:-4] + "dead")
        left.mkdir()
        (left / "additions-0000.parquet").write_bytes(b"not encrypted yet")
    for other in (
        f"{home}/adnet/{day}",
        f"{home}/adnet-eu-2/{day}",
        f"{home}_adnet-eu/{day}",
        f"s3://other/adnet-eu/{day}",
    ):
        with delivery.draft_folder(other):
            assert left.exists()
    with delivery.draft_folder(f"{home}/adnet-eu/{day}"):
        assert not left.exists()


def test_packages_and_other_files_beside_a_draft_stay(tmp_path):
    kept = [tmp_path / name for name in ("2024-03-30", ".2024-03-30", ".2024-03-30.notes", ".keep")]
    for path in kept:
        path.mkdir()
    with delivery.draft_folder(str(tmp_path / "2024-03-31")) as draft:
        delivery.put_in_place(draft, str(tmp_path / "2024-03-31"))
    assert {path.name for path in tmp_path.iterdir()} == {"2024-03-31", *(path.name for path in kept)}


def test_drafts_are_not_put_where_others_could_look(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"sophilux-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(SophiluxError, match="not a folder of yours alone"), delivery.draft_folder("s3://bucket/x"):
        pass
