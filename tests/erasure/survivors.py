"""One trace of a person that an erasure overlooked, in each kind of place where a lake may keep one.

Each function writes the trace below a home and gives the file that holds it. All but the first few write into files
that no table's current version knows.
"""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import zstandard
from cryptography.hazmat.primitives import hashes
from pyarrow import parquet as pq

FILLERS = 600


def current(home, table):
    """A file of a table's current version."""
    folder = home / table.replace(".", "/", 1)
    return sorted(path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts)[0]


def add_row(path, column, value, **options):
    """One more row in the midst of many others, so that packing hides it."""
    rows = pq.read_table(path)
    fillers = [{column: f"{n:032x}"} for n in range(FILLERS)]
    added = pa.Table.from_pylist([*fillers[::2], {column: value}, *fillers[1::2]], rows.schema)
    return write_hidden(path, pa.concat_tables([rows, added]), value, **options)


def write_hidden(path, rows, value, **options):
    """A file whose bytes, as they lie there, do not show a value that it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path, compression="zstd", **{"write_statistics": False} | options)
    assert value.encode() not in path.read_bytes()
    return path


def plain_column(home, traces):
    return add_row(current(home, "vault.customers"), "full_name", traces.name, use_dictionary=False)


def dictionary_column(home, traces):
    return add_row(current(home, "vault.customers"), "email", traces.email, use_dictionary=True)


def last_row_group(home, traces):
    return add_row(current(home, "lake.clicks"), "subject_id", traces.subject, row_group_size=300)


def nested_column(home, traces):
    fillers = [[{"tel": f"{n:032x}"}] for n in range(FILLERS)]
    rows = pa.table({"who": [*fillers, [{"tel": "none"}, {"tel": traces.phone}]]})
    return write_hidden(home / "marts" / "nested.parquet", rows, traces.phone)


def page_header(home, traces):
    """Bounds in the header of a page, which a reader does not show."""
    return _keep_one(home, traces.subject, 0)


def footer_bounds(home, traces):
    """Bounds in the footer, of a column that no longer holds them."""
    return _keep_one(home, traces.subject, -1)


def page_index(home, traces):
    """Bounds in the index of pages, between the data and the footer."""
    return _keep_one(home, traces.subject, 3, write_page_index=True)


def _keep_one(home, value, place, **options):
    """A file that holds a value several times, of which one is left."""
    path = home / "lake" / "sessions" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = pa.table({"subject_id": [value] * 3})
    pq.write_table(rows, path, compression="none", use_dictionary=False, **options)
    pieces = path.read_bytes().split(value.encode())
    kept = place % (len(pieces) - 1)
    joints = [value if number == kept else "0" * len(value) for number in range(len(pieces) - 1)]
    path.write_bytes(b"".join(piece + joint.encode() for piece, joint in zip(pieces, [*joints, ""], strict=True)))
    return path


def footer_metadata(home, traces):
    path = current(home, "lake.orders")
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({"last": f"order {traces.order}"}), path, compression="zstd")
    return path


def old_data_file(home, traces):
    rows = pa.table({"phone": [f"{n:032x}" for n in range(FILLERS)] + [traces.phone]})
    return write_hidden(home / "vault" / "customers" / "part-00000-of-before.zstd.parquet", rows, traces.phone)


def log_statistics(home, traces):
    stats = {"numRecords": 2, "minValues": {"subject_id": traces.subject}, "maxValues": {"subject_id": "f" * 32}}
    return _log(home, "lake.clicks", {"add": {"path": "p.parquet", "stats": json.dumps(stats)}})


def log_predicate(home, traces):
    predicate = f"[\"subject_id IN ('{traces.subject}')\"]"
    entry = {"commitInfo": {"operation": "DELETE", "operationParameters": {"predicate": predicate}}}
    return _log(home, "lake.clicks", entry)


def _log(home, table, entry):
    path = home / table.replace(".", "/", 1) / "_delta_log" / f"{99:020}.json"
    path.write_text(json.dumps(entry) + "\n")
    return path


def checkpoint(home, traces):
    address = traces.email.lower()
    bounds = [*(f"{n:032x}" for n in range(FILLERS)), address]
    adds = [{"path": f"part-{n}", "stats": json.dumps({"minValues": {"email": b}})} for n, b in enumerate(bounds)]
    path = home / "vault" / "identities" / "_delta_log" / f"{98:020}.checkpoint.parquet"
    return write_hidden(path, pa.table({"add": adds}), address)


def checkpoint_bounds(home, traces):
    """Statistics as columns of their own (``stats_parsed``), as Spark writes them on wish."""
    adds = pa.table({"add": [{"stats_parsed": {"minValues": {"order_id": traces.order}}}]})
    path = home / "lake" / "orders" / "_delta_log" / f"{98:020}.checkpoint.parquet"
    pq.write_table(adds, path)
    return path


def quarantined_line(home, traces):
    return add_row(current(home, "quarantine.clicks"), "raw", f"<?mail={traces.email.replace('@', '%40').upper()}")


def landed_gzip(home, traces):
    return _land(home, "part-1.jsonl.gz", gzip.compress(_lines(traces.email)))


def landed_zstd(home, traces):
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in traces.name)
    return _land(home, "part-2.jsonl.zst", zstandard.compress(_lines("x").replace(b'"x"', f'"{escaped}"'.encode())))


def landed_frames(home, traces):
    """Frames one behind the other, the trace in the last."""
    return _land(home, "part-3.jsonl.zst", zstandard.compress(_lines("x")) + zstandard.compress(_lines(traces.street)))


def landed_bzip2(home, traces):
    return _land(home, "part-4.bz2", bz2.compress(_lines(traces.phone)))


def landed_xz_in_gzip(home, traces):
    return _land(home, "part-5.xz.gz", gzip.compress(lzma.compress(_lines(traces.account))))


def landed_latin(home, traces):
    return _land(home, "part-6.csv", f"Käthe;{traces.name}\n".encode("latin-1"))


def landed_utf16(home, traces):
    return _land(home, "part-7.csv", f"to;{traces.email}\n".encode("utf-16"))


def _lines(value):
    return b"".join(json.dumps({"n": n, "to": value if n == 70 else None}).encode() + b"\n" for n in range(90))


def _land(home, name, content):
    path = home / "landing" / "clickstream" / name
    path.write_bytes(content)
    return path


def package_of_identifiers(home, traces):
    return _package(home, "adnet-eu/2024-03-02/additions-0000.csv", f"ad_id\n{traces.ad_id}\n".encode())


def package_of_hashes(home, traces):
    table = io.BytesIO()
    pq.write_table(pa.table({"digest": pa.array([traces.hash()], pa.binary(32))}), table)
    return _package(home, "worldads/2024-03-02/additions-0000.parquet", table.getvalue())


def package_of_points(home, traces):
    return _package(home, "publisher/2024-03-02/pair-0000.csv", f"id\n{traces.point}\n".encode())


def _package(home, name, content):
    path = home / "exports" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def request_payload(home, traces):
    contents = [json.dumps({"email": each}) for each in [*(f"{n:032x}" for n in range(FILLERS)), traces.email]]
    rows = pa.table({"content": contents})
    return write_hidden(home / "vault" / "request_payloads" / "part-0.parquet", rows, traces.email)


def answer(home, traces):
    path = home / "answers" / "r-0001.zip"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.json", json.dumps([{"order": traces.order}]))
    return path


def journal_row(home, traces):
    """What a run was sealed in, had it been kept in the open."""
    return add_row(current(home, "ledger.erasure_runs"), "sealed", json.dumps({"emails": [traces.email]}))


def quality_page(home, traces):
    escaped = "".join(f"&#{ord(letter)};" for letter in traces.name)
    return _text(home, "quality/vault.customers.html", f"<td>{escaped}</td>")


def report_page(home, traces):
    return _text(home, "report/index.html", f"<script>var rows = [[{json.dumps(traces.account)}]]</script>")


def report_sheet(home, traces):
    path = home / "report" / "orders.xlsx"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<si><t>{traces.street}</t></si>")
    return path


def note(home, traces):
    return _text(home, "notes.txt", f"Called {traces.phone.replace('+49 ', '0')}, no answer.")


def hash_in_a_log(home, traces):
    return _text(home, "logs/mail.log", f"sent to {traces.hash(hashes.MD5).hex()}")


def scratch(home, traces):
    path = home / ".scratch" / "0123456789abcdef" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"subject_id": [traces.subject]}), path)
    return path


def file_name(home, traces):
    return _text(home, f"landing/{traces.order}.txt", "")


def partition_name(home, traces):
    path = home / "lake" / "orders" / f"customer_id={traces.account}" / "part-0.txt"
    path.parent.mkdir(parents=True)
    path.write_text("nothing of them")
    return path.parent


def _text(home, name, content):
    path = Path(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


PLACES = [
    plain_column, dictionary_column, last_row_group, nested_column, page_header, footer_bounds, page_index, footer_metadata, old_data_file,
    log_statistics, log_predicate, checkpoint, checkpoint_bounds, quarantined_line, landed_gzip, landed_zstd,
    landed_frames, landed_bzip2, landed_xz_in_gzip, landed_latin, landed_utf16, package_of_identifiers,
    package_of_hashes, package_of_points, request_payload, answer, journal_row, quality_page, report_page, report_sheet,
    note, hash_in_a_log, scratch, file_name, partition_name,
]  # fmt: skip
