"""The partners file is checked as a whole."""

import pytest

from jobs.errors import UsageError
from jobs.exports.partners import Partner, find_partner, load_partners


def write(tmp_path, text):
    path = tmp_path / "partners.yaml"
    path.write_text(text)
    return path


def test_reads_names_and_countries(tmp_path):
    path = write(tmp_path, "partners:\n- {name: adnet-eu, countries: [DE, FR]}\n- {name: w, countries: [all]}\n")
    assert load_partners(path) == (Partner("adnet-eu", ("DE", "FR")), Partner("w", ("all",)))


def test_all_mistakes_are_named_at_once(tmp_path):
    path = write(tmp_path, "partners:\n- {name: Ad/Net, countries: []}\n- {name: ok, country: [DE]}\nowner: me\n")
    with pytest.raises(UsageError) as caught:
        load_partners(path)
    message = str(caught.value)
    assert "\n" not in message
    for mistake in ("Ad/Net", "$.partners[0].countries", "'country' was unexpected", "'owner' was unexpected"):
        assert mistake in message


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("partners: [{name: a, countries: [DE]}, {name: a, countries: [FR]}]", "more than once"),
        ("partners: [{name: a, countries: [all, FR]}]", "either all or a list"),
        ("partners: [{name: ../up, countries: [all]}]", "does not match"),
        ("partners: [{name: a, countries: [de]}]", "does not match"),
        ('partners: [{name: "a\\n", countries: [DE]}]', "does not match"),
        (": [", "cannot be read as YAML"),
        ("", "not of type 'object'"),
    ],
)
def test_refuses_what_could_mislead(tmp_path, text, mistake):
    with pytest.raises(UsageError, match=mistake):
        load_partners(write(tmp_path, text))


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="SOPHILUX_PARTNERS_FILE"):
        load_partners(tmp_path / "none.yaml")


def test_an_unknown_partner_lists_the_known_ones(tmp_path):
    path = write(tmp_path, "partners: [{name: adnet, countries: [DE]}]")
    with pytest.raises(UsageError, match=r"'other'.*adnet"):
        find_partner(path, "other")
