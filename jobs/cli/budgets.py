"""Commands that look at what publications about people have cost."""

from jobs.cli.app import Form, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, print_rows


@app.command(name="privacy-budget", epilog="Example: sophilux privacy-budget --home shop")
def privacy_budget(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List what each data set and period has spent of its privacy budget, as rho and as epsilon."""
    from jobs.privacy.budget.ledger import read_spending

    with open_lake(home) as lake:
        rows = [
            {
                **row,
                "spent": round(row["spent"], 6),
                "epsilon": round(row["epsilon"], 3),
                "remaining": None if row["allowed"] is None else round(max(0.0, row["allowed"] - row["spent"]), 6),
            }
            for row in read_spending(lake)
        ]
    print_rows(rows, ("dataset", "period", "releases", "spent", "remaining", "allowed", "epsilon"), format_)
