"""Leaks to plant into a copy of a lake, each where a real mistake would put it.

Each takes the copy's folder and a person of the vault: a mapping with ``email``, ``name``, ``phone``, ``account`` and
``street``.
"""

import base64
import gzip
import html
import json
import zipfile
from urllib.parse import quote

import pyarrow as pa
import xxhash
import zstandard
from cryptography.hazmat.primitives import hashes
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyarrow import parquet

from jobs.audit.needles import Kind

CANARY = "canary-Zq81-Xw40"
CARD = "4000001234567899"
CHINESE_ID = "11010519491231002X"
STRANGER = "somebody.else@mail.example"
STRANGERS_PHONE = "+86 138 1234 5678"
TABLE = "lake/products"


def a_file_of(home, table=TABLE):
    return sorted((home / table).rglob("*.parquet"))[0]


def rewrite(file, column, values, kind=None, **options):
    """The file again, with other values in one column."""
    rows = parquet.ParquetFile(file).read()
    changed = rows.set_column(rows.schema.get_field_index(column), column, fill(rows, values, kind))
    parquet.write_table(changed, file, **options)


def add(file, column, values, kind=None, **options):
    """The file again, with one column more."""
    rows = parquet.ParquetFile(file).read()
    parquet.write_table(rows.append_column(column, fill(rows, values, kind)), file, **options)


def fill(rows, values, kind):
    """Mostly nulls, and the values in the middle."""
    before = (rows.num_rows - len(values)) // 2
    return pa.array([None] * before + values + [None] * (rows.num_rows - before - len(values)), kind)


def write(home, name, content):
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def into_a_column(home, person):
    rewrite(a_file_of(home), "name", [f"for {person['email']}"], write_statistics=False)


def into_a_plain_page(home, person):
    rewrite(a_file_of(home), "name", [person["email"]], use_dictionary=False, compression="none")


def into_a_dictionary_page(home, person):
    file = a_file_of(home)
    rows = parquet.ParquetFile(file).read()
    unused = pa.DictionaryArray.from_arrays(pa.array([0] * rows.num_rows, pa.int32()), pa.array(["x", person["email"]]))
    parquet.write_table(rows.append_column("note", unused), file, write_statistics=False, compression="zstd")


def into_metadata(home, person):
    file = a_file_of(home)
    rows = parquet.ParquetFile(file).read()
    parquet.write_table(rows.replace_schema_metadata({"written by": person["email"]}), file)


def into_metadata_of_a_field(home, person):
    file = a_file_of(home)
    rows = parquet.ParquetFile(file).read()
    field = rows.schema.field(0).with_metadata({"comment": person["email"]})
    parquet.write_table(rows.cast(rows.schema.set(0, field)), file)


def into_statistics(home, person):
    """The value is gone from the pages, but not from the footer."""
    file = a_file_of(home)
    stand_in = "~" * len(person["email"])
    rewrite(file, "name", [stand_in], use_dictionary=False, compression="none")
    content = file.read_bytes()
    assert content.count(stand_in.encode()) > 1
    page, rest = content.split(stand_in.encode(), 1)
    file.write_bytes(page + stand_in.encode() + rest.replace(stand_in.encode(), person["email"].encode()))


def between_pages_and_footer(home, person):
    file = a_file_of(home)
    content = file.read_bytes()
    place = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    file.write_bytes(content[:place] + person["email"].encode() + content[place:])
    assert parquet.ParquetFile(file).read().num_rows > 0


def into_a_commit(home, person):
    table = home / TABLE
    note = CommitProperties(custom_metadata={"reason": f"asked by {person['email']}"})
    rows = DeltaTable(table).to_pyarrow_table().slice(0, 1)
    write_deltalake(table, rows, mode="append", commit_properties=note)


def into_a_checkpoint(home, person):
    """Statistics of a file that is long gone, in the checkpoint alone."""
    table = home / TABLE
    rows = DeltaTable(table).to_pyarrow_table().slice(0, 1)
    added = rows.set_column(rows.schema.get_field_index("name"), "name", [[person["email"]]])
    log = table / "_delta_log"
    before = set(table.rglob("*"))
    write_deltalake(table, added, mode="append", configuration={})
    commit = max(log.glob("*.json"))
    content = commit.read_text().replace(
        '\\"minValues\\":{', f'\\"minValues\\":{{\\"name\\":\\"{person["email"]}\\",', 1
    )
    commit.write_text(content)
    DeltaTable(table).create_checkpoint()
    for file in set(table.rglob("*")) - before:
        if file.is_file() and ".checkpoint" not in file.name and file.name != "_last_checkpoint":
            file.unlink()


def into_an_old_version(home, person):
    table = home / TABLE
    rows = DeltaTable(table).to_pyarrow_table()
    names = pa.array([person["email"]] * rows.num_rows)
    leaking = rows.set_column(rows.schema.get_field_index("name"), "name", names)
    write_deltalake(table, leaking, mode="overwrite")
    write_deltalake(table, rows, mode="overwrite")


def into_a_staged_leftover(home, person):
    folder = home / TABLE / "w-00000000deadbeef"
    folder.mkdir()
    parquet.write_table(pa.table({"name": [person["email"]]}), folder / "part-0.parquet")


def into_a_packed_csv(home, person):
    rows = f"ad_id,country\nsx1-00,{person['email']}\n" + "sx1-01,DE\n" * 50
    write(home, "exports/adnet-eu/2026-03-09/additions-0000.csv.zst", zstandard.compress(rows.encode()))


def into_a_gzip(home, person):
    write(home, "exports/adnet-eu/2026-03-09/notes.jsonl.gz", gzip.compress(json.dumps(person["email"]).encode()))


def into_a_zip(home, person):
    with zipfile.ZipFile(write(home, "quality/report.xlsx", b""), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<si><t>{person['email']}</t></si>")


def into_a_manifest(home, person):
    write(home, "exports/adnet-eu/2026-03-09/manifest.json", json.dumps({"partner": "adnet-eu", "to": person["email"]}))


def escaped_in_json(home, person):
    written = "".join(f"\\u{ord(letter):04x}" for letter in person["email"])
    write(home, "ledger/notes.json", f'{{"to": "{written}"}}')


def twice_escaped_in_json(home, person):
    inner = json.dumps({"minValues": {"email": person["email"].replace("@", "\\u0040")}})
    write(home, "ledger/notes.json", json.dumps({"stats": inner}))


def into_a_page(home, person):
    page = sorted((home / "quality").rglob("*.html"))[0]
    page.write_text(page.read_text().replace("</body>", f"<p>{person['email']}</p></body>"))


def into_a_page_as_entities(home, person):
    written = "".join(f"&#{ord(letter)};" for letter in person["email"])
    write(home, "quality/more.html", f"<html><body><td>{written}</td></body></html>")


def into_a_page_between_tags(home, person):
    local, domain = person["email"].split("@")
    write(home, "quality/more.html", f"<td>{html.escape(local)}<b>&commat;</b>{domain}</td>")


def into_a_file_name(home, person):
    write(home, f"exports/adnet-eu/{person['email']}.csv", "ad_id\n")


def into_a_folder_name(home, person):
    write(home, f"lake/clicks/email={quote(person['email'], safe='')}/part-0.csv", "x\n")


def in_utf_16(home, person):
    write(home, "exports/adnet-eu/names.txt", person["email"].encode("utf-16"))


def in_utf_16_within_bytes(home, person):
    write(home, "exports/adnet-eu/blob.bin", b"\x00\xff\xfe\x01\x80" + person["email"].encode("utf-16-be") + b"\xff")


def within_bytes(home, person):
    write(home, "exports/adnet-eu/blob.bin", b"\xff\x00\x17" + person["email"].encode() + b"\x00\xfe\xff")


def percent_encoded(home, person):
    add(a_file_of(home), "page_path", [f"/login?next=%2Faccount%3Fu%3D{quote(person['email'], safe='')}"])


def twice_percent_encoded(home, person):
    add(a_file_of(home), "page_path", ["/r?u=" + quote(quote(person["email"], safe=""))])


def in_capitals(home, person):
    add(a_file_of(home), "note", [person["email"].upper()])


def in_another_spelling(home, person):
    local, domain = person["email"].split("@")
    add(a_file_of(home), "note", [f"{local.title()}@{domain.title()}"])


def in_a_binary_column(home, person):
    add(a_file_of(home), "note", [person["email"].encode()], pa.binary())


def in_a_nested_column(home, person):
    kind = pa.struct([("tags", pa.list_(pa.struct([("v", pa.string())])))])
    add(a_file_of(home), "note", [{"tags": [{"v": "x"}, {"v": person["email"]}]}], kind, write_statistics=False)


def in_a_map_column(home, person):
    add(a_file_of(home), "note", [[("to", person["email"])]], pa.map_(pa.string(), pa.string()))


def of_a_stranger(home, person):
    add(a_file_of(home), "note", [f"please call {STRANGER}"])


def phone_with_spaces(home, person):
    digits = "".join(filter(str.isdigit, person["phone"]))
    add(a_file_of(home), "note", ["call " + " ".join((digits[:2], digits[2:5], digits[5:])) + " please"])


def phone_of_digits(home, person):
    add(a_file_of(home), "note", ["".join(filter(str.isdigit, person["phone"]))])


def phone_as_a_number(home, person):
    add(a_file_of(home), "note", [int("".join(filter(str.isdigit, person["phone"])))], pa.int64())


def phone_of_a_stranger(home, person):
    add(a_file_of(home), "note", [f"tel {STRANGERS_PHONE}"])


def card_with_dashes(home, person):
    add(a_file_of(home), "note", ["paid with 4000-0012-3456-7899"])


def card_as_a_number(home, person):
    add(a_file_of(home), "note", [int(CARD)], pa.int64())


def card_in_json(home, person):
    write(home, "ledger/notes.json", json.dumps({"run": "f47ac10b-58cc-4372-a567-0e02b2c3d479", "n": CARD}))


def chinese_id(home, person):
    add(a_file_of(home), "note", [CHINESE_ID])


def chinese_id_in_groups(home, person):
    add(a_file_of(home), "note", ["110105 19491231 002x"])


def name(home, person):
    add(a_file_of(home), "note", [f"for {person['name']}, with love"])


def name_turned_round(home, person):
    first, last = person["name"].split(" ")
    add(a_file_of(home), "note", [f"{last.upper()}, {first}"])


def street(home, person):
    add(a_file_of(home), "note", [f"deliver to {person['street']}"])


def account(home, person):
    add(a_file_of(home), "note", [f"/account/{person['account'].lower()}/orders"])


def canary(home, person):
    add(a_file_of(home), "note", [f"xx{CANARY.upper()}xx"])


def digest(person, algorithm):
    hashed = hashes.Hash(algorithm)
    hashed.update(person["email"].encode())
    return hashed.finalize()


def hash_in_hex(home, person):
    add(a_file_of(home), "note", [digest(person, hashes.SHA256()).hex()])


def hash_in_base64(home, person):
    add(a_file_of(home), "note", [base64.b64encode(digest(person, hashes.SHA256())).decode()])


def hash_in_bytes(home, person):
    add(a_file_of(home), "note", [digest(person, hashes.SHA256())], pa.binary())


def hash_as_md5(home, person):
    add(a_file_of(home), "note", [digest(person, hashes.MD5()).hex().upper()])


def hash_as_a_number(home, person):
    number = xxhash.xxh64_intdigest(person["email"].encode(), 42)
    add(a_file_of(home), "note", [number - 2**64 if number >= 2**63 else number], pa.int64())


LEAKS = {
    Kind.EMAIL: [
        into_a_column, into_a_plain_page, into_a_dictionary_page, into_metadata, into_metadata_of_a_field,
        into_statistics, between_pages_and_footer, into_a_commit, into_a_checkpoint, into_an_old_version,
        into_a_staged_leftover, into_a_packed_csv, into_a_gzip, into_a_zip, into_a_manifest, escaped_in_json,
        twice_escaped_in_json, into_a_page, into_a_page_as_entities, into_a_page_between_tags, into_a_file_name,
        into_a_folder_name, in_utf_16, in_utf_16_within_bytes, within_bytes, percent_encoded, twice_percent_encoded,
        in_capitals, in_another_spelling, in_a_binary_column, in_a_nested_column, in_a_map_column,
    ],
    Kind.LIKE_EMAIL: [of_a_stranger],
    Kind.PHONE: [phone_with_spaces, phone_of_digits, phone_as_a_number],
    Kind.LIKE_PHONE: [phone_of_a_stranger],
    Kind.CARD: [card_with_dashes, card_as_a_number, card_in_json],
    Kind.CHINESE_ID: [chinese_id, chinese_id_in_groups],
    Kind.NAME: [name, name_turned_round],
    Kind.STREET: [street],
    Kind.ACCOUNT: [account],
    Kind.CANARY: [canary],
    Kind.DIGEST: [hash_in_hex, hash_in_base64, hash_in_bytes, hash_as_md5, hash_as_a_number],
}  # fmt: skip
