import pytest
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
