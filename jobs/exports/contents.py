"""The rows of a partner's package, from the lake to files in a draft."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.conform.currencies import convert_prices, read_rates
from jobs.exports import app_installs, audiences, conversions, identities, members
from jobs.exports.checksums import measure_file
from jobs.exports.manifests import KINDS, PackageFile
from jobs.exports.plans import Plan
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.packages import ORDER, Layout, write_shards
from jobs.lake.scratch import Scratch
from jobs.privacy.eligibility import REASONS, add_exclusion, leave_out_small_segments
from jobs.privacy.encryption import encrypt_file
from jobs.privacy.rights.choices import apply_choices
from jobs.privacy.shuffling import add_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@contextmanager
def judge_subjects(lake: Lake, plan: Plan) -> Iterator[Scratch]:
    """All subjects with identifier, segment, and the reason that keeps them out, if any, for the length of the context.

    What several later steps read is computed once: the segments, and identifiers that are made from addresses.
    """
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    clicks = read_clicks(lake, plan)
    found = audiences.find_segments(clicks, lake.read("lake.products"), subjects, day=plan.day)
    with ExitStack() as scratches:
        segments = scratches.enter_context(lake.scratch(found)).frame
        judged = subjects.transform(
            add_exclusion,
            lake.read("ledger.requests"),
            segments,
            rules=plan.rules,
            day=plan.day,
            countries=plan.partner.countries,
            minimum_segment=plan.partner.minimum_segment,
        )
        named = identities.identify(lake, judged, plan.identifiers)
        placed = audiences.place_in_segments(named, segments)
        if plan.identifiers.profile:
            known = scratches.enter_context(lake.scratch(placed)).frame
            placed = leave_out_small_segments(known, minimum=plan.partner.minimum_segment)
        yield scratches.enter_context(lake.scratch(placed))


def read_clicks(lake: Lake, plan: Plan) -> "DataFrame":
    """Clicks of the days that are known whole; half a day would move people between segments."""
    until = plan.heading.clicks_until
    return lake.read("lake.clicks").where(F.lit(False) if until is None else F.col(C.DAY) <= F.lit(until))


def count_excluded(judged: "DataFrame", plan: Plan) -> dict[str, int]:
    """Subjects kept out by reason; every reason that can be is named, also with none."""
    counted = judged.where(F.col(C.REASON).isNotNull()).groupBy(C.REASON).count().collect()
    found = {row[C.REASON]: row["count"] for row in counted}
    reasons = REASONS if plan.identifiers.profile is None else (*REASONS, identities.NO_ADDRESS)
    return {reason: found.get(reason, 0) for reason in reasons}


def find_changes(lake: Lake, plan: Plan, audience: "DataFrame") -> "DataFrame":
    """What the partner has to be told of its audience; see :func:`jobs.exports.members.find_changes`."""
    told = identities.keep_one_each(audience) if plan.identifiers.profile else audience
    held = members.read_members(lake, plan.books, plan.partner.name)
    return members.find_changes(told, held, members.read_pending(lake, plan.books, plan.partner.name))


def write_files(
    lake: Lake, plan: Plan, *, audience: "DataFrame", changes: "DataFrame", draft: Path
) -> list[PackageFile]:
    """Write all files of a package but its manifest.

    Args:
        lake: the lake.
        plan: of the package.
        audience: subjects that may be exported, of :func:`judge_subjects`.
        changes: of :func:`find_changes`.
        draft: folder for the files.
    """
    installs = app_installs.find_installs(read_clicks(lake, plan), lake.read("lake.subjects"), day=plan.day)
    lines, orders, products = (lake.read(f"lake.{name}") for name in ("order_lines", "orders", "products"))
    rates, reporting = read_rates(lake), lake.settings.currency
    valued = convert_prices(lines, orders, rates, reporting=reporting)
    minimum, weeks = plan.partner.minimum_segment, plan.heading.conversions
    some = weeks or Days.single(plan.day)
    purchases = conversions.find_purchases(valued.where(F.lit(weeks is not None)), orders, products, days=some)
    rows = {
        "additions": changes.where(F.col(C.CHANGE) == members.ADD),
        "removals": changes.where(F.col(C.CHANGE) == members.REMOVE),
        "app_installs": app_installs.build_app_installs(
            audience, installs, minimum=minimum, order=plan.order, session=lake.session
        ),
        "conversions": conversions.build_conversions(audience, purchases, minimum=minimum),
    }
    return [file for kind in KINDS for file in _write_kind(lake, plan, kind, rows[kind], draft)]


def _write_kind(lake: Lake, plan: Plan, kind: str, rows: "DataFrame", draft: Path) -> list[PackageFile]:
    contract = lake.contracts[f"exports.{kind}"]
    told = rows.select(*contract.column_names)
    ordered = add_order(told, by=F.col(C.AD_ID), name=ORDER, key=plan.order, session=lake.session)
    layout = Layout(plan.partner.format, plan.partner.shards)
    written = write_shards(lake, ordered, contract, draft, layout, accepts_reversible=plan.is_reversible)
    measured = [(file, measure_file(file.path)) for file in written]
    files = [PackageFile(kind, file.shard, file.rows, facts, facts.sha256) for file, facts in measured]
    if not plan.partner.encrypt_to:
        return files
    sealed = [encrypt_file(file.path, plan.partner.encrypt_to) for file in written]
    return [replace(file, facts=measure_file(path)) for file, path in zip(files, sealed, strict=True)]
