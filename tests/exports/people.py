"""A lake with people who have addresses, and a publisher that shares a secret with us."""

from datetime import date, timedelta

from jobs.exports.partners import Partner
from jobs.privacy.keyring import open_keyring
from jobs.privacy.pair.keys import put_shared_secret

from .conftest import DAY, LONG_AGO, fill, fill_subjects

NEWS = Partner("news-fr", ("all",), kind="pair", format="csv")
SCOPE_START = DAY - timedelta(days=9)


def name_address(number: int) -> str:
    return f"Person.{number}+shop@Example.com"


def fill_people(lake, numbers, odd=None) -> None:
    """People ``p0``, ``p1``, … with an address each; ``odd`` changes columns of some, or their address."""
    odd = odd or {}
    names = {f"p{number}": number for number in numbers}
    described = {name: {k: v for k, v in odd.get(name, {}).items() if k != "email"} for name in names}
    fill_subjects(lake, described)
    identity = {"subject_bucket": 7, "is_primary": True, "updated_at": LONG_AGO, "email_normalised": "x"}
    emails = {name: odd.get(name, {}).get("email", name_address(number)) for name, number in names.items()}
    rows = [
        {**identity, "identity_id": name, "customer_id": name, "person_id": name, "subject_id": name, "email": email}
        for name, email in emails.items()
        if email is not None
    ]
    fill(lake, "vault.identities", rows)


def share(lake, secret: bytes, partner: str = NEWS.name, first: date = SCOPE_START) -> None:
    put_shared_secret(open_keyring(lake.settings), partner, secret, first)
