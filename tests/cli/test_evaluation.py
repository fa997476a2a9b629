import json

import pytest

from tests.cli.test_cli import call

MEASURES = {"HitRate@20", "MRR@20", "Recall@20", "NDCG@20"}


@pytest.fixture
def clicks(tmp_path):
    """Sessions in which a leads to b, c to d, e to f; the last tenth is the test."""
    rows = [(n, item, n * 100 + m) for n in range(40) for m, item in enumerate(("ab", "cd", "ef")[n % 3])]
    path = tmp_path / "log" / "clicks.csv"
    path.parent.mkdir()
    path.write_text("session,item,time\n" + "".join(f"{s},{i},{t}\n" for s, i, t in rows))
    return path.parent


def evaluate(folder, *args, task="next-click"):
    return call("evaluate", "--dataset", str(folder), "--task", task, *args)


def test_help_has_an_example():
    done = call("evaluate", "--help")
    assert done.exit_code == 0
    assert "Example: sophilux evaluate" in " ".join(done.stdout.split())


def test_every_method_is_one_line_with_its_measures_and_seconds(clicks):
    done = evaluate(clicks, "--json")
    assert done.exit_code == 0, done.output
    rows = {row["method"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(rows) == {
        "sophilux", "sophilux-defaults", "sophilux-k2", "cosine", "bm25", "als", "popularity", "association-rules", "v-sknn",
    }  # fmt: skip
    for row in rows.values():
        assert row.keys() >= MEASURES | {
            "task",
            "fit_seconds",
            "score_seconds",
            "queries",
            "unseen_items",
            "parameters",
        }
        assert all(0 <= row[name] <= 1 for name in MEASURES)
    assert rows["sophilux"]["HitRate@20"] == 1.0
    assert rows["sophilux"]["tune_seconds"] > 0


def test_the_table_for_people_says_the_same(clicks):
    done = evaluate(clicks, "--method", "popularity", "--method", "sophilux", "--no-tune")
    assert done.exit_code == 0, done.output
    assert "HitRate@20" in done.stdout.splitlines()[0]
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["sophilux", "popularity"]


def test_baskets_are_measured_at_ten_places(clicks):
    done = evaluate(
        clicks, "--json", "--no-tune", "--method", "sophilux", "--method", "sophilux-table", task="next-basket"
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["method"] for row in rows] == ["sophilux", "sophilux-table"]
    assert all("HitRate@10" in row for row in rows)


def test_persons_are_asked_for_what_they_take_up(tmp_path):
    train = [(n, item) for n in range(20) for item in ("ab", "ab", "cd")[n % 3]]
    (tmp_path / "train.csv").write_text(
        "user,item\n" + "".join(f"{u},{i}\n" for u, i in [*train, (90, "a"), (91, "c")])
    )
    (tmp_path / "test.csv").write_text("user,item\n90,b\n91,d\n91,never\n")
    done = evaluate(tmp_path, "--json", task="top-n")
    assert done.exit_code == 0, done.output
    rows = {row["method"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["sophilux"]["Recall@20"] == rows["cosine"]["Recall@20"] == 1.0
    assert (rows["sophilux"]["queries"], rows["sophilux"]["unseen_items"], rows["sophilux"]["unseen_events"]) == (
        2,
        1,
        1,
    )


def test_a_heavy_user_and_unseen_items_are_survived(tmp_path):
    """One account with thousands of events, and a test of which half is unknown."""
    heavy = [(0, f"i{n % 700:03}", n) for n in range(5000)]
    others = [(n, item, 5000 + n) for n in range(1, 60) for item in ("i001", "i002")]
    test = [(100, "i001", 9000), (100, "new", 9001), (100, "i002", 9002)]
    for name, rows in (("train", [*heavy, *others]), ("test", test)):
        (tmp_path / f"{name}.csv").write_text("session,item,time\n" + "".join(f"{s},{i},{t}\n" for s, i, t in rows))
    done = evaluate(tmp_path, "--json", "--no-tune")
    assert done.exit_code == 0, done.output
    rows = {row["method"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["sophilux"]["HitRate@20"] == 1.0
    assert (rows["sophilux"]["queries"], rows["sophilux"]["unseen_items"]) == (1, 1)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--task", "next-purchase"], "The task must be one of next-click, next-basket, top-n"),
        (["--method", "magic"], "There are no methods magic; there are sophilux"),
        (["--columns", "colour=x"], "--columns takes session="),
        (["--columns", "item=colour"], "has no column colour; it has session, item, time"),
        (["--test-from", "1999-01-01"], "one side has no events"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(clicks, args, told):
    done = call(
        "evaluate", "--dataset", str(clicks), *(["--task", "next-click"] if "--task" not in args else []), *args
    )
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_without_a_log_is_told(tmp_path):
    done = evaluate(tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "must be a file or hold one file" in done.stderr


def test_a_test_of_unseen_items_only_is_told(tmp_path):
    (tmp_path / "train.csv").write_text("session,item,time\n1,a,1\n1,b,2\n")
    (tmp_path / "test.csv").write_text("session,item,time\n2,x,3\n2,y,4\n")
    done = evaluate(tmp_path, "--method", "popularity")
    assert done.exit_code == 2
    assert "None of the 2 items of the test is in the training" in done.stderr
