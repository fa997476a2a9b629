"""A process of its own that runs every flow with known keys, and shows all that can be shown of it meanwhile.

``python -m tests.flows.planted_run WORK`` runs over ``WORK/shop``. Everything is logged at debug level; every frame
that keys are in is explained; files that come and go below ``WORK`` are kept as second links in ``WORK/kept``.
"""

import logging
import os
import random
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from pathlib import Path

FIRST_DAY = date(2026, 3, 7)
"""A Saturday: the week that ends on Sunday closes on the last day, so that its noise is drawn."""
DAYS = 3
KNOWN = ("subject", "signing", "shuffle", "budget", "requests")


def known_secret(purpose: str) -> bytes:
    """The secret that is planted for a purpose."""
    return random.Random(purpose).randbytes(32)


def keep_files(work: Path, stop: threading.Event) -> None:
    """Link every file that appears below a folder, so that it can be searched after it was removed."""
    kept, seen = work / "kept", set()

    def visit(folder: str) -> None:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path != str(kept) and not entry.name.endswith(".keys"):
                        visit(entry.path)
                elif folder != str(work) and entry.inode() not in seen:
                    seen.add(entry.inode())
                    with suppress(OSError):
                        os.link(entry.path, kept / f"{len(seen)}-{entry.name}"[:200])

    while not stop.wait(0.05):
        visit(str(work))


def show_plans() -> None:
    """Print the plans of every frame that keys are in before it is computed."""
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.readwriter import DataFrameWriter

    for name in ("toArrow", "collect", "toPandas", "count"):
        setattr(DataFrame, name, explained(getattr(DataFrame, name), lambda frame: frame))
    DataFrameWriter.parquet = explained(DataFrameWriter.parquet, lambda writer: DataFrame(writer._df, writer._spark))


def explained(method, frame_of):
    @wraps(method)
    def call(self, *args, **kwargs):
        frame = frame_of(self)
        if b"_inner" in frame._plan.to_proto(frame._session.client).SerializeToString():
            plans = frame._explain_string(extended=True), frame._explain_string(mode="formatted")
            print(repr(frame), frame.schema, *plans)
        return method(self, *args, **kwargs)

    return call


def plant(settings) -> None:
    from jobs.exports.partners import load_partners
    from jobs.privacy.epochs import epoch_of, not_after
    from jobs.privacy.keyring import open_keyring

    ring = open_keyring(settings)
    for purpose in KNOWN:
        ring.put(purpose, known_secret(purpose))
    for partner in load_partners(settings.partners):
        epoch = epoch_of(FIRST_DAY, partner.epoch)
        for kind in ("partner", "pair"):
            purpose = f"{kind}/{partner.name}/{epoch.name}"
            ring.put(purpose, known_secret(purpose), not_after=not_after(epoch, partner.overlap_days))


def fail_with_keys(lake) -> None:
    """An error while keys are in the frame: its message, and the local variables of our frames."""
    from pyspark.sql import functions as F

    from jobs.privacy.keyring import SUBJECT, open_keyring
    from jobs.privacy.pseudonyms import keyed_digest, subject_keys, with_keys

    ring = open_keyring(lake.settings)
    print(ring, ring.key(SUBJECT), ring.entries(), lake.settings, vars(lake))
    subjects = lake.read("lake.subjects").transform(with_keys, subject_keys(lake))
    digest = keyed_digest(F.col("subject_id"), SUBJECT)
    for broken in (F.raise_error(F.lit("broken")), F.assert_true(F.lit(False)), F.date_format("subject_id", "no such")):
        try:
            subjects.select(digest, broken).collect()
        except Exception as error:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            for frame in told.stack:
                if "site-packages" in frame.filename:
                    frame.locals = None
            print(*told.format())


@contextmanager
def everything_shown(work: Path):
    """Log, explain and keep what can be, until the end of the block."""
    logging.basicConfig(level=logging.DEBUG, filename=work / "python.log")
    stop = threading.Event()
    (work / "kept").mkdir()
    keeper = threading.Thread(target=keep_files, args=(work, stop), daemon=True)
    keeper.start()
    show_plans()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def main(work: Path) -> None:
    with everything_shown(work):
        from jobs.lake import Days, Lake
        from jobs.samples.generated import write_shop
        from jobs.settings import load_settings
        from tests.conftest import run_all_flows
        from tests.requests.asking import ask

        settings = load_settings(str(work / "shop"))
        write_shop(settings, first_day=FIRST_DAY, days=DAYS, customers=120, events=1_500, seed=3)
        plant(settings)
        lake = Lake.open(settings)
        with lake.engine:
            run_all_flows(lake, Days(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS - 1)))
            for kind in ("opt-out", "access"):
                ask(lake, kind, at=datetime.now(UTC))
            fail_with_keys(lake)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
