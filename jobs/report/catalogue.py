"""Names and categories of products, from the catalogue that anybody can see in the shop."""

from dataclasses import dataclass

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.report.tables import CATALOGUE, check_publishable


@dataclass(frozen=True)
class Product:
    """A product as the pages call it; one without a name goes by its number."""

    id: str
    name: str
    category: str | None


class Catalogue:
    """Products by number; one that the catalogue does not know is called by its number."""

    def __init__(self, products: dict[str, Product]) -> None:
        self._products = products

    def __getitem__(self, product_id: str) -> Product:
        return self._products.get(product_id) or Product(product_id, product_id, None)

    def __len__(self) -> int:
        return len(self._products)


def read_catalogue(lake: Lake) -> Catalogue:
    """The catalogue as it stands."""
    contract = check_publishable(lake.contracts[CATALOGUE])
    rows = lake.read_arrow(contract.name).select([C.PRODUCT_ID, C.NAME, C.CATEGORY_PATH])
    columns = (rows.column(name).to_pylist() for name in rows.column_names)
    return Catalogue({id_: Product(id_, name or id_, path) for id_, name, path in zip(*columns, strict=True)})
