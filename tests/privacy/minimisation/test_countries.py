import pytest
from pycountry import countries
from pyspark.sql import functions as F

from jobs.privacy.minimisation.countries import read_country

ONLINE_RETAIL = (
    "Australia", "Austria", "Bahrain", "Belgium", "Brazil", "Canada", "Channel Islands", "Cyprus", "Czech Republic",
    "Denmark", "EIRE", "European Community", "Finland", "France", "Germany", "Greece", "Hong Kong", "Iceland", "Israel",
    "Italy", "Japan", "Lebanon", "Lithuania", "Malta", "Netherlands", "Norway", "Poland", "Portugal", "RSA",
    "Saudi Arabia", "Singapore", "Spain", "Sweden", "Switzerland", "USA", "United Arab Emirates", "United Kingdom",
    "Unspecified",
)  # fmt: skip


def read(lake, texts):
    frame = lake.session.createDataFrame(list(enumerate(texts)), "place int, text string")
    found = frame.select("place", read_country(F.col("text")).alias("country")).orderBy("place").collect()
    return [row.country for row in found]


def test_countries_of_a_real_shop_stay_as_written(shared_lake):
    assert read(shared_lake, ONLINE_RETAIL) == list(ONLINE_RETAIL)


def test_every_code_and_name_of_iso_3166_is_read_and_no_part_of_one_nor_two_together(shared_lake):
    kinds = ("alpha_2", "name", "common_name", "official_name")
    known = sorted({getattr(country, kind) for country in countries for kind in kinds if hasattr(country, kind)})
    assert read(shared_lake, known) == known
    joints = ("", "|", "\n", "\r\n", ".")
    odd = [f"{name}{joint}{name}" for name in known for joint in joints] + [f"x{name}" for name in known]
    cut = [name[:-1] for name in known if name[:-1].rstrip() not in known and len(name) != 3]
    swapped = [name.replace(".", "x").replace("(", "").replace("d'I", "d.I") for name in known]
    changed = [text for text, name in zip(swapped, known, strict=True) if text != name]
    assert len(changed) > 5
    assert set(read(shared_lake, [*odd, *cut, *changed])) == {None}


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("de", "DE"),
        (" Germany\u3000", "Germany"),
        ("united kingdom", "united kingdom"),
        ("Côte d'Ivoire", "Côte d'Ivoire"),
        ("XX", None),
        ("Jane Doe", None),
        ("jane@example.com", None),
        ("4111111111111111", None),
        (" ", None),
        (None, None),
    ],
)
def test_what_is_a_country(shared_lake, text, country):
    assert read(shared_lake, [text]) == [country]
