"""Commands that hand packages to partners."""

from typing import Annotated

import typer

from jobs.cli.app import Day, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import format_size, print_rows, working


@app.command(epilog="Example: sophilux export adnet-eu --day 2024-01-14")
def export(
    partner: Annotated[str, typer.Argument(help="A name of the partners file.")], day: Day, home: Home = None
) -> None:
    """Build one partner's package of a day; the flow export_audiences builds all."""
    with open_lake(home) as lake:
        from jobs.exports.packages import export_partner, package_folder
        from jobs.exports.partners import find_partner
        from jobs.runner import check_past

        check_past(day)
        found = find_partner(lake.settings.partners, partner)
        with working(f"exporting {partner}"):
            manifest = export_partner(lake, found, day)
        rows = [{"file": n, "rows": f["rows"], "size": format_size(f["bytes"])} for n, f in manifest["files"].items()]
        print_rows(rows, ("file", "rows", "size"))
        kept_out = ", ".join(f"{count:,} {reason}" for reason, count in manifest["excluded"].items())
        typer.echo(f"\nKept out: {kept_out}. Package: {lake.home}/{package_folder(partner, day)}")
