"""Whatever an edit or a writer does wrong is found out before the file counts."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs.errors import SophiluxError
from jobs.lake.parquet import rewriting, splicing
from jobs.lake.parquet.decoding import Source
from jobs.lake.parquet.rewriting import drop_found, edit_file

from .samples import GROUP_ROWS, drop, sample, sever_who, write


def change_last(rows):
    return pa.concat_tables([rows.slice(0, rows.num_rows - 1), sample(2_000).slice(1_234, 1)])


MISTAKES = {
    "a row lost": lambda rows: rows.slice(1),
    "a row twice": lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]),
    "one row for another": lambda rows: pa.concat_tables([rows.slice(1), rows.slice(1, 1)]),
    "a value changed": change_last,
    "rows in another order": lambda rows: rows.take(list(reversed(range(rows.num_rows)))),
    "values that changed rows": lambda rows: rows.set_column(1, "bucket", rows["bucket"].combine_chunks()[::-1]),
}


@pytest.mark.parametrize("edit", [drop_found, sever_who], ids=["drop", "sever"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_edit_that_harms_others_is_found_out(tmp_path, mistake, edit):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(500))
    mine = pa.array(["s07", "s30"])
    with pytest.raises(SophiluxError, match="were not to be changed"):
        edit_file(
            str(source),
            str(target),
            columns=["who"],
            find=lambda rows: pc.is_in(rows["who"], mine),
            edit=lambda rows, found: MISTAKES[mistake](edit(rows, found)),
        )


def sever_all_but_one(rows, found):
    return sever_who(rows, pc.and_(found, pc.not_equal(rows["wide"], 150)))


@pytest.mark.parametrize("edit", [lambda rows, _: rows, sever_all_but_one], ids=["nothing", "all but one"])
def test_an_edit_that_spares_who_was_found_is_found_out(tmp_path, edit):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample())
    mine = sample()["who"].slice(150, 1).combine_chunks()
    with pytest.raises(SophiluxError, match="would have stayed"):
        edit_file(str(source), str(target), columns=["who"], find=lambda rows: pc.is_in(rows["who"], mine), edit=edit)
    assert not target.exists()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_that_was_written_wrongly_is_found_out(tmp_path, monkeypatch, mistake):
    """What is encoded is not what the edit gave: only the new file's bytes tell."""
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(500))
    original = rewriting.Encoder.add
    monkeypatch.setattr(
        rewriting.Encoder, "add", lambda encoder, number, rows: original(encoder, number, MISTAKES[mistake](rows))
    )
    with pytest.raises(SophiluxError, match="were not to be changed"):
        drop(source, target, {"s07", "s30"})


def test_row_groups_in_each_others_place_are_found_out(tmp_path, monkeypatch):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(500))
    original = rewriting.Encoder.finish

    def swap(encoder):
        encoded = original(encoder)
        return dict(zip(encoded, reversed(encoded.values()), strict=True))

    monkeypatch.setattr(rewriting.Encoder, "finish", swap)
    with pytest.raises(SophiluxError, match="were not to be changed"):
        drop(source, target, {"s07", "s30"})


def test_a_row_group_that_was_copied_and_is_missing_is_found_out(tmp_path, monkeypatch):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(500))
    original = rewriting.write_file

    def forget(opened, encoded, out, rows):
        original(opened, encoded | {4: None}, out, rows)

    monkeypatch.setattr(rewriting, "write_file", forget)
    with pytest.raises(SophiluxError, match="were not to be changed"):
        drop(source, target, {"s07"})


def one_a_group():
    """Somebody else in each row group, who is gone with it."""
    return sample(500).set_column(0, "who", pa.array([f"s{n // GROUP_ROWS:02}" for n in range(500)]))


def test_a_copied_row_group_that_vanished_for_an_emptied_one_is_found_out(tmp_path, monkeypatch):
    """Both have as many rows, so that counts alone do not tell."""
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, one_a_group())
    original = rewriting.write_file

    def drop_next(opened, encoded, out, rows):
        assert encoded == {2: None}
        original(opened, {3: None}, out, rows)

    monkeypatch.setattr(rewriting, "write_file", drop_next)
    with pytest.raises(SophiluxError, match="were not to be changed"):
        drop(source, target, {"s02"})


def test_a_copied_row_group_in_place_of_others_is_found_out(tmp_path, monkeypatch):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, one_a_group())
    original = splicing._take_over
    monkeypatch.setattr(splicing, "_take_over", lambda opened, _: original(Source(opened.file, ""), 0))
    with pytest.raises(SophiluxError, match="were not to be changed"):
        drop(source, target, {"s02"})
