"""What an engine writes about people is clustered as it stands, and whoever is looked for costs few bytes."""

from pathlib import Path

import pyarrow.compute as pc
import pytest
from pyarrow import parquet as pq

from jobs.lake import Lake, clustering, storage
from jobs.settings import load_settings

from .clustered import DAYS, PEOPLE, TABLE, Watched, check_clustered, drop_people, fill, list_groups, name_person

PERSON = 700
BUCKET = PERSON % 256


@pytest.fixture(scope="module")
def written(tmp_path_factory, engine, contracts):
    lake = Lake(load_settings(str(tmp_path_factory.mktemp("clustered") / "shop")), engine, contracts)
    fill(lake)
    return lake


@pytest.fixture
def watched(monkeypatch):
    system = Watched()
    monkeypatch.setattr(storage, "filesystem", lambda location: (system, location))
    return system


def list_matching(lake, bucket):
    return {
        (path, number)
        for groups in list_groups(lake).values()
        for path, number, _, lowest, highest in groups
        if lowest <= bucket <= highest
    }


def read_chunks(lake, reads):
    """Column chunks that were read from: (file, row group, column). Footers are not counted."""
    found = set()
    for file in lake.list_files(TABLE):
        path = str(Path(lake.location(TABLE), file.path))
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                chunk = metadata.row_group(number).column(place)
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                end = start + chunk.total_compressed_size
                inside = (r for r in reads if r[0] == path and r[2] < file.size and r[1] < end and start < r[2])
                if any(inside):
                    found.add((file.path, number, chunk.path_in_schema))
    return found


def test_what_the_engine_writes_is_clustered(written):
    check_clustered(written, clustering.ROW_GROUP_ROWS)


def test_tables_without_buckets_keep_the_order_and_size_the_engine_gives(lake):
    contract, rows = lake.contracts["lake.products"], lake.empty("lake.products")
    assert clustering.sort_frame(rows, contract) is rows
    writer = rows.write
    assert clustering.limit_row_groups(writer, contract) is writer
    assert clustering.choose_sizes(contract) == {"row_group_size": clustering.UNCLUSTERED_ROWS}


def test_looking_for_somebody_reads_their_bucket_alone(written, watched):
    """Nobody is found, so nothing is written: what is read is the key column of the row groups that may hold them."""
    done = drop_people(written, [name_person(PEOPLE + BUCKET)], buckets={BUCKET})
    assert (done.rows_found, done.files_opened) == (0, len(DAYS))
    matching = list_matching(written, BUCKET)
    assert len(matching) < sum(map(len, list_groups(written).values())) / 2
    assert read_chunks(written, watched.reads) == {(path, number, "subject_id") for path, number in matching}
    data = [end - start for path, start, end in watched.reads if end < Path(path).stat().st_size]
    assert sum(data) < 0.2 * sum(file.size for file in written.list_files(TABLE))


def test_erasing_somebody_encodes_the_row_groups_they_stand_in(written, tmp_path, monkeypatch):
    from jobs.lake.parquet import rewriting

    encoded, original = [], rewriting.Encoder.add

    def count(encoder, number, rows):
        encoded.append(number)
        original(encoder, number, rows)

    monkeypatch.setattr(rewriting.Encoder, "add", count)
    holding = 0
    for day in DAYS:
        for path in {path for path, *_ in list_groups(written)[day]}:
            parquet = pq.ParquetFile(Path(written.location(TABLE), path))
            for number in range(parquet.num_row_groups):
                column = parquet.read_row_group(number, columns=["subject_id"])["subject_id"]
                holding += pc.any(pc.equal(column, name_person(PERSON))).as_py()
    done = drop_people(written, [name_person(PERSON)], buckets={BUCKET})
    assert done.rows_found > 0
    assert len(encoded) == holding <= 2 * len(DAYS)
