"""Every byte of a file is read, whatever it is packed in, and what cannot be read is said so."""

import bz2
import gzip
import io
import lzma
import random
import zipfile

import pyarrow as pa
import pyrage
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from jobs.audit.contents import read_parts
from jobs.audit.parts import BLOCK_BYTES, Form, cut_blocks

SECRET = b"ada.birkenfeld@example.com"
RECIPIENT = pyrage.x25519.Identity.generate().to_public()


def read(content: bytes) -> list:
    return list(read_parts(io.BytesIO(content)))


def contents(content: bytes) -> bytes:
    return b"\0".join(part.content for part in read(content) if part.form is not Form.NOISE)


def zip_up(content, name="inside.txt", compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def to_parquet(content, **options):
    file = io.BytesIO()
    parquet.write_table(pa.table({"note": [content.decode()]}), file, **options)
    return file.getvalue()


PACKINGS = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "zstd frames": lambda content: zstandard.compress(b"first") + zstandard.compress(content),
    "gzip members": lambda content: gzip.compress(b"first") + gzip.compress(content),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lambda content: pa.Codec("lz4").compress(content).to_pybytes(),
    "zip": zip_up,
    "zip of gzip": lambda content: zip_up(gzip.compress(content)),
    "gzip of gzip": lambda content: gzip.compress(gzip.compress(content)),
    "zstd of Parquet": lambda content: zstandard.compress(to_parquet(content)),
    "Parquet": to_parquet,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_packed_is_read(packing):
    assert SECRET in contents(PACKINGS[packing](b"before " + SECRET))


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_parquet_is_read_under_every_codec(codec):
    assert SECRET in contents(to_parquet(SECRET, compression=codec))


def test_names_and_comments_of_packed_files_are_read():
    assert SECRET in contents(zip_up(b"nothing", name=f"{SECRET.decode()}.txt"))
    named = io.BytesIO()
    with gzip.GzipFile(f"{SECRET.decode()}.txt", "wb", fileobj=named) as file:
        file.write(b"nothing")
    assert any(SECRET in part.content for part in read(named.getvalue()))


def test_an_encrypted_file_is_sealed_and_its_outside_is_read():
    parts = read(pyrage.encrypt(SECRET, [RECIPIENT]))
    assert [part.form for part in parts] == [Form.NOISE, Form.SEALED]


def test_a_file_that_is_only_called_encrypted_is_read():
    assert [part.form for part in read(SECRET)] == [Form.TEXT]


@pytest.mark.parametrize("packing", sorted(set(PACKINGS) - {"zstd", "zstd frames", "lz4"}))
def test_a_damaged_file_is_said_to_be_broken(packing):
    packed = PACKINGS[packing](bytes(random.Random(3).choices(range(256), k=200_000)).hex().encode())
    cut = packed[: len(packed) // 2]
    assert read(cut)[-1].form is Form.BROKEN


def test_files_packed_too_often_are_not_unpacked_for_ever():
    content = SECRET
    for _ in range(12):
        content = gzip.compress(content)
    assert read(content)[-1].form is Form.BROKEN


def test_an_empty_file_has_no_content():
    assert read(b"") == []


def test_lines_of_text_are_counted():
    first, second = read(b"line of text\n" * 200_000)[:2]
    assert (first.form, first.line) == (Form.TEXT, 1)
    assert second.line == 1 + first.content.count(b"\n")
    assert first.content.endswith(b"\n")


@given(st.integers(0, 3 * BLOCK_BYTES), st.sampled_from([b"\n", b"\0", b"x", "é".encode()]))
def test_what_is_short_is_whole_in_one_block_wherever_it_stands(place, filler):
    content = (filler * (place // len(filler))) + SECRET + filler * 1_000
    blocks = list(cut_blocks(io.BytesIO(content)))
    assert any(SECRET in block for block in blocks)
    assert max(map(len, blocks)) <= 3 * BLOCK_BYTES


@pytest.mark.parametrize("filler", ["é", "王", "😀", "ab é", "x"])
def test_text_without_line_ends_stays_text(filler):
    content = (filler * (3 * BLOCK_BYTES // len(filler.encode()))).encode()
    parts = read(content)
    assert {part.form for part in parts} == {Form.TEXT}
    assert sum(len(part.content) for part in parts) >= len(content)


def test_memory_stays_bounded_over_a_large_packed_file(tmp_path):
    file = tmp_path / "large.csv.zst"
    line = b"2024-01-01,P00001,DE,view,0000000000000000\n" * 25_000
    with file.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as sink:
        for _ in range(120):
            sink.write(line)
    before = pa.total_allocated_bytes()
    size = largest = 0
    with file.open("rb") as packed:
        for part in read_parts(packed):
            if part.form is Form.TEXT:
                size += len(part.content)
            largest = max(largest, len(part.content))
    assert size == 120 * len(line) > 120_000_000
    assert largest <= 2 * BLOCK_BYTES
    assert pa.total_allocated_bytes() == before
