import gzip
import io
import tracemalloc

import pytest
import zstandard

from jobs.sources.compression import BrokenFileError, read_chunks
from tests.sources.landed import PACKINGS

CONTENT = b"".join(b'{"visitor": "v%d"}\n' % number for number in range(20_000))


def unpack(stored, name):
    return b"".join(read_chunks(io.BytesIO(stored), name, lambda _: None))


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_same_bytes(packing):
    assert unpack(PACKINGS[packing](CONTENT), f"a.jsonl{packing}") == CONTENT


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_parts_one_after_the_other_are_one_file(packing):
    pack = PACKINGS[packing]
    assert unpack(pack(CONTENT) + pack(b"") + pack(b"end\n"), f"a.jsonl{packing}") == CONTENT + b"end\n"


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_packed_file_is_known_by_its_first_bytes(packing):
    assert unpack(PACKINGS[packing](CONTENT), "a.jsonl") == CONTENT


def test_padding_after_gzip_is_ignored():
    assert unpack(gzip.compress(CONTENT) + bytes(10_000), "a.gz") == CONTENT


def test_zstandard_frames_to_skip_are_skipped():
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    assert unpack(skippable + zstandard.compress(CONTENT), "a.zst") == CONTENT


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("kept", [0, 0.001, 0.5, 0.999])
def test_a_file_that_ends_too_early_gives_what_could_be_read(packing, kept):
    stored = PACKINGS[packing](CONTENT)
    found = []
    with pytest.raises(BrokenFileError, match="file ends too early"):
        found.extend(read_chunks(io.BytesIO(stored[: int(kept * len(stored))]), f"a{packing}", lambda _: None))
    assert CONTENT.startswith(b"".join(found))


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_file_of_something_else_cannot_be_decompressed(packing):
    with pytest.raises(BrokenFileError, match="cannot be decompressed"):
        unpack(b"this was never packed\n", f"a{packing}")


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_file_that_unpacks_a_thousandfold_is_not_held_in_memory(packing):
    stored = PACKINGS[packing](bytes(100_000_000))
    tracemalloc.start()
    assert sum(map(len, read_chunks(io.BytesIO(stored), f"a{packing}", lambda _: None))) == 100_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
