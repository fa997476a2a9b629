import shutil

import pytest
import yaml

from jobs.errors import ContractError, UsageError
from jobs.lake import Contracts, columns
from jobs.lake.contracts import DIRECT, PERSONAL_ZONES, SCHEMAS_FOLDER


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return Contracts.load()


def edit(folder, table, change):
    path = folder / f"{table}.yaml"
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def test_every_column_of_a_contract_has_its_constant_and_no_other(contracts):
    declared = {column.name for contract in contracts.values() for column in contract.columns}
    constants = {value for name, value in vars(columns).items() if name.isupper()}
    assert constants == declared


def test_direct_identifiers_stand_in_personal_zones_only(contracts):
    holders = {c.zone for c in contracts.values() for column in c.columns if column.classification == DIRECT}
    assert holders <= set(PERSONAL_ZONES)


def test_personal_zones_are_restricted(contracts):
    assert all(contract.is_restricted for contract in contracts.values() if contract.zone in PERSONAL_ZONES)


def test_statistics_show_nothing_of_a_person(contracts):
    shown = {name for contract in contracts.values() if contract.has_subject for name in contract.statistics_columns}
    assert shown == {"subject_bucket"}


def test_all_mistakes_are_told_at_once(tmp_path):
    folder = tmp_path / "schemas"
    shutil.copytree(SCHEMAS_FOLDER, folder)
    edit(folder, "lake.clicks", lambda d: d["customProperties"].pop())
    edit(folder, "lake.orders", lambda d: d["schema"][0]["properties"][1].update(classification="direct identifier"))
    edit(folder, "lake.products", lambda d: d.update(apiVersion="v9"))
    edit(folder, "lake.parcels", lambda d: d["schema"][0]["properties"][0].update(physicalType="varchar(3)"))
    with pytest.raises(ContractError) as error:
        Contracts.load(folder)
    text = str(error.value)
    assert "lake.clicks.yaml: bears subjects, so erasureMethod must be one of" in text
    assert "lake.orders.yaml: order_id: a direct identifier may only stand in" in text
    assert "lake.products.yaml: $.apiVersion" in text
    assert "lake.parcels.yaml: parcel_id: physicalType varchar(3) is not one of" in text


def test_an_unknown_table_is_a_usage_error(contracts):
    with pytest.raises(UsageError, match=r"lake\.nothing has no contract; 'sophilux tables' lists the tables"):
        contracts["lake.nothing"]
