"""A run that is killed at any point is finished by the next: nothing is left, and nothing is lost."""

import multiprocessing
import signal
from collections import Counter

import pytest

from jobs.erasure import certificates, journal
from jobs.erasure.outcomes import ERASED
from jobs.erasure.runs import finish_runs

from . import killed, small
from .bytes_below import find_below

POINTS = {
    "when the people were found": ("jobs.erasure.journal", "begin"),
    "when the tombstones were written": ("jobs.erasure.runs", "bury"),
    "when files of a table were written": ("jobs.lake.editing", "_sum_up"),
    "when some tables were swept": ("jobs.erasure.tables", "_sweep_table"),
    "when all tables were swept": ("jobs.erasure.tables", "sweep"),
    "when packages were withdrawn": ("jobs.erasure.packages", "withdraw"),
    "when traces were removed": ("jobs.erasure.traces", "remove_traces"),
    "when a checkpoint was made": ("jobs.lake.history", "_condense"),
    "when old versions of a table were forgotten": ("jobs.erasure.runs", "forget_versions"),
    "when every byte was searched": ("jobs.erasure.checking", "search"),
    "when the certificate was kept": ("jobs.erasure.certificates", "keep"),
    "when the last word was written": ("jobs.erasure.runs._Work", "_advance_last"),
}


@pytest.fixture(scope="module")
def processes():
    """Processes that have imported everything, and so start at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.erasure.killed"])
    return context


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), POINTS.values(), ids=POINTS)
def test_a_killed_run_is_finished_by_the_next(lake, processes, module, name):
    subject = small.subject(lake, "ada")
    own = small.values_of("ada") | {subject}
    orders = Counter(row["product_id"] for row in lake.read_records("lake.order_lines"))
    process = processes.Process(target=killed.run, args=(lake.home, subject, module, name))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    told = repr(lake.read_records(journal.LEDGER)).lower()
    assert not [value for value in own if value.lower() in told]
    finished = finish_runs(lake)
    assert [outcome.state for outcome in finished] == ([] if name == "_advance_last" else [ERASED])
    assert find_below(lake.home, own) == set()
    (kept,) = certificates.list_kept(lake)
    certificate = certificates.read(kept["document"])
    assert [answer["request_id"] for answer in certificate["requests"]] == ["request-1"]
    counted = {entry["table"]: entry["rows"] for entry in certificate["tables"]}
    assert (counted["lake.clicks"], counted["lake.orders"], counted["vault.customers"]) == (3, 2, 1)
    assert Counter(row["product_id"] for row in lake.read_records("lake.order_lines")) == orders
    assert all(row["state"] == journal.DONE and row["sealed"] is None for row in lake.read_records(journal.LEDGER))
