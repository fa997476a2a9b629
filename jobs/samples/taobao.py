"""*Taobao UserBehavior* (non-commercial use) as clickstream files: every row becomes a line.

Visitors and countries are not known. The product's category has no place in a click.

References:
    https://tianchi.aliyun.com/dataset/649
"""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import SourceError
from jobs.samples.drops import Progress, local_root, write_file, write_partners
from jobs.samples.public_addresses import spell_addresses
from jobs.settings import Settings

FILE: Final = "taobao_clicks_2017_11_26.parquet"
NAME: Final = "taobao.jsonl.gz"
ACTIONS: Final = {"pv": "view", "cart": "cart", "fav": "favourite", "buy": "buy"}


def write_drops(source: Path, settings: Settings, progress: Progress = None) -> dict[str, int]:
    """Write a file of clicks per UTC day from the data set.

    Args:
        source: folder that holds ``taobao_clicks_2017_11_26.parquet``.
        settings: where the drops go.
        progress: called with a line when all is written.

    Returns:
        ``clicks``: lines written.

    Raises:
        SourceError: the file is not there.
    """
    file = source / FILE
    if not file.exists():
        message = f"{FILE} is not in the folder of public data sets; name the folder that holds it."
        raise SourceError(message)
    root = local_root(settings)
    behaviours = pd.read_parquet(file)
    behaviours["email"] = spell_addresses(behaviours["user_id"].astype(str).to_list())
    for day, rows in behaviours.groupby(behaviours["ts"].dt.strftime("%Y-%m-%d"), sort=True):
        write_file(root / "clickstream" / str(day) / NAME, ["\n".join([*to_lines(rows), ""]).encode()])
    write_partners(root)
    if progress:
        progress(f"taobao: {len(behaviours)} clicks")
    return {"clicks": len(behaviours)}


def to_lines(behaviours: pd.DataFrame) -> list[str]:
    """A JSON object per row, which has its person's ``email``; an unknown behaviour stays as it is written."""
    time = behaviours["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    behaviour = behaviours["behavior"]
    lines: list[str] = pc.binary_join_element_wise(
        '{"time": "',
        pa.array(time, pa.string()),
        '", "email": "',
        pa.array(behaviours["email"], pa.string()),
        '", "action": "',
        pa.array(behaviour.map(ACTIONS).fillna(behaviour), pa.string()),
        '", "product": "',
        pa.array(behaviours["item_id"].astype(str), pa.string()),
        '"}',
        "",
    ).to_pylist()
    return lines
