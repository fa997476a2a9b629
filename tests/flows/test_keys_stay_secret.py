"""Known keys through every flow, and no trace of them anywhere but in the ring."""

import gzip
import logging
import random

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet
from pyspark.sql import functions as F

from jobs.engine.session import REQUEST_LOGGER
from jobs.privacy.keyring import Key
from jobs.privacy.pseudonyms import key_relation, keyed_digest, with_keys
from tests.flows.key_traces import check_all_was_looked_at, check_nothing_is_found, read_secrets, run_shown
from tests.flows.planted_run import KNOWN, known_secret
from tests.flows.secret_search import SecretSearch, derive, spell

SECRET = random.Random(1).randbytes(32)
FORMS = sorted(spell(SECRET[:12]))


@pytest.mark.slow
def test_no_trace_of_a_key_is_left(tmp_path):
    """On the embedded engine; :mod:`tests.engines.test_parity` looks for the same on Spark."""
    run_shown(tmp_path, "tests.flows.planted_run", engine="sail", memory_share="0.15")
    secrets = read_secrets(tmp_path / "shop")
    assert {purpose: secrets[purpose] for purpose in KNOWN} == {purpose: known_secret(purpose) for purpose in KNOWN}
    check_all_was_looked_at(tmp_path)
    assert (tmp_path / "stderr.log").read_text(errors="replace").count(" DEBUG ") > 100
    check_nothing_is_found(tmp_path)


@pytest.mark.parametrize("is_filtered", [True, False])
def test_requests_are_kept_out_of_pysparks_debug_log(lake, caplog, monkeypatch, is_filtered):
    """Without our filter the log holds the key, so the filter is what keeps it out."""
    logger = logging.getLogger(REQUEST_LOGGER)
    if not is_filtered:
        monkeypatch.setattr(logger, "filters", [])
    caplog.set_level(logging.DEBUG, logger=REQUEST_LOGGER)
    monkeypatch.setattr(logger, "disabled", False)
    keyed = lake.session.range(3).transform(with_keys, key_relation(lake.session, it=Key("it", "0a1b2c3d", SECRET)))
    with caplog.at_level(logging.DEBUG):
        logger.addHandler(caplog.handler)
        try:
            assert keyed.select(keyed_digest(F.col("id").cast("string"), "it")).toArrow().num_rows == 3
        finally:
            logger.removeHandler(caplog.handler)
    found = SecretSearch({"it": SECRET}).search_bytes(caplog.text.encode())
    assert bool(found) is not is_filtered


def test_keys_stay_inside_the_request_and_become_no_file_of_the_server(lake):
    frame = key_relation(lake.session, **{f"key{n}": Key("it", "0a1b2c3d", SECRET) for n in range(20)})
    plan = frame._plan.to_proto(lake.session.client)
    assert "local_relation {" in str(plan)
    assert "cached_local_relation" not in str(plan)
    assert int(lake.session.conf.get("spark.sql.session.localRelationCacheThreshold")) == 1 << 20


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_a_planted_key_in_every_form(tmp_path, form):
    for kind, derived in derive(SECRET).items():
        (tmp_path / f"{kind}.log").write_bytes(b"before" + spell(derived)[form] + b"after")
    found = SecretSearch({"subject": SECRET}).search_folder(tmp_path)
    assert set(found) == {"key.log", "ipad.log", "opad.log"}


@pytest.mark.parametrize("start", [0, 3, 9])
def test_the_search_finds_a_part_of_a_key(tmp_path, start):
    (tmp_path / "log").write_bytes(SECRET[start : start + 22])
    assert SecretSearch({"subject": SECRET}).search_folder(tmp_path)


def test_the_search_looks_into_packed_files_and_at_names(tmp_path):
    text = b"key=" + SECRET.hex().encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.csv.zst").write_bytes(zstandard.compress(text))
    table = pa.table({"n": range(1000), "secret": [SECRET] * 1000, "text": ["x"] * 999 + [SECRET.hex()]})
    parquet.write_table(table, tmp_path / "c.parquet", compression="zstd")
    parquet.write_table(table.drop_columns("secret"), tmp_path / "d.parquet", compression="zstd", use_dictionary=False)
    (tmp_path / SECRET.hex()).mkdir()
    (tmp_path / "long").write_bytes(b" " * ((8 << 20) - 10) + SECRET + b" " * 100)
    found = SecretSearch({"subject": SECRET}).search_folder(tmp_path)
    assert set(found) == {"a.gz", "b.csv.zst", "c.parquet", "d.parquet", SECRET.hex(), "long"}


def test_the_search_tells_a_file_of_two_names_once_and_both_names(tmp_path):
    named = f"z{SECRET.hex()}"
    (tmp_path / "a").write_bytes(SECRET)
    for other in ("b", named):
        (tmp_path / other).hardlink_to(tmp_path / "a")
    assert set(SecretSearch({"subject": SECRET}).search_folder(tmp_path)) == {"a", named}


def test_the_search_finds_nothing_where_nothing_is(tmp_path):
    (tmp_path / "noise").write_bytes(random.Random(2).randbytes(1 << 20))
    assert SecretSearch({"subject": SECRET}).search_folder(tmp_path) == {}
