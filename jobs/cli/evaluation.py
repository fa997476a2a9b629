"""``sophilux evaluate``: how good recommendations are on a log."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.app import app, parse_day
from jobs.cli.output import Format, print_rows, working
from jobs.errors import UsageError


@app.command(epilog="Example: sophilux evaluate --dataset logs/yoochoose --task next-click --json")
def evaluate(
    *,
    dataset: Annotated[Path, typer.Option(help="A file, or a folder with one, or with one named train and one test.")],
    task: Annotated[str, typer.Option(help="next-click, next-basket (one item hidden) or top-n (for persons).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per method, as soon as it is done.")] = False,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; may be repeated.")] = None,
    columns: Annotated[str, typer.Option(help="Names of columns, such as session=visit,item=sku,time=at.")] = "",
    test_from: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day of the test; else the newest tenth of the baskets.")
    ] = None,
    min_people: Annotated[int, typer.Option(min=1, help="Baskets that a pair of products needs in our tables.")] = 1,
    tune: Annotated[bool, typer.Option(help="Choose our parameters on a part of the training.")] = True,
    most: Annotated[int | None, typer.Option(min=1, help="Ask so many questions at most, spread evenly.")] = None,
) -> None:
    """Measure recommendations on a log under the protocol of docs/evaluation.md, ours beside the field's."""
    from jobs.engine import Engine
    from jobs.evaluation.running import METHODS, Plan, check_plan
    from jobs.evaluation.running import evaluate as evaluate_plan
    from jobs.settings import load_settings

    plan = Plan(
        dataset=dataset,
        task=task,
        methods=tuple(method or METHODS),
        columns=_parse_columns(columns),
        first_test_day=parse_day(test_from) if test_from else None,
        tune=tune,
        min_people=min_people,
        most_queries=most,
    )
    check_plan(plan)
    rows = []
    with Engine(load_settings()) as engine, working("evaluating") as show:
        for row in evaluate_plan(engine.session, plan):
            show(f"{row['method']} is done")
            rows.append(row)
            if as_json:
                typer.echo(json.dumps(row))
    if not as_json:
        names = [name for name in rows[0] if "@" in name or name in ("method", "fit_seconds", "score_seconds")]
        print_rows(rows, names, Format.TABLE)


def _parse_columns(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    mistakes = [name for name, _, value in pairs if name not in ("session", "user", "item", "time") or not value]
    if mistakes:
        message = f"--columns takes session=…, user=…, item=… and time=…, got {text!r}."
        raise UsageError(message)
    return {name: value for name, _, value in pairs}
