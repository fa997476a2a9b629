"""The partners file is checked as a whole, and nothing in it is guessed at."""

import json
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pyrage import x25519

from jobs.errors import UsageError
from jobs.exports.partners import Partner, find_partner, load_eligibility, load_partners, load_partners_file
from jobs.exports.partners.checks import KINDS_OF_FIELD, NEEDED, SCHEMA_FILE, find_mistakes
from jobs.privacy.export_rules import ExportRules

RECIPIENT = str(x25519.Identity.generate().to_public())
REASON = "Campaigns that the shop itself places there."
FULL = {
    "name": "adnet-eu",
    "kind": "opaque",
    "countries": ["DE", "NO"],
    "epoch": "half-year",
    "overlap_days": 10,
    "minimum_segment": 50,
    "format": "csv",
    "shards": 4,
    "encrypt_to": [RECIPIENT],
    "deliver_to": "s3://bucket/path",
    "attribution_days": 14,
}
PLATFORM = {"kind": "platform", "platform": "google", "accept_reversible": True, "reason": REASON}
SECRET = "hunter2"
WRONG = [
    ({"countries": ["UK"]}, "UK is no country code of ISO 3166"),
    (
        {"countries": ["de"]},
        'countries[0]: must be a two-letter country code in capitals, such as DE, or all, got "de"',
    ),
    ({"countries": []}, "countries: must be a list of two-letter country codes"),
    ({"countries": ["DE", "DE"]}, "each once"),
    ({"countries": ["all", "FR"]}, "must be either [all] or a list of codes, not both"),
    ({"country": ["DE"]}, 'there is no key "country" (did you mean countries?)'),
    ({"kind": "plattform"}, 'kind: must be one of opaque, shared-key, platform, pair, got "plattform"'),
    ({"epoch": "week"}, "epoch: must be one of month, quarter, half-year, year"),
    ({"overlap_days": -1}, "overlap_days: must be a whole number of days from 0 to 366"),
    ({"minimum_segment": 1}, "minimum_segment: must be a whole number of people from 2 up"),
    ({"minimum_segment": True}, "minimum_segment: must be a whole number of people from 2 up"),
    ({"format": "xlsx"}, "format: must be one of parquet, csv"),
    ({"shards": 257}, "shards: must be a whole number of files from 1 to 256, got 257"),
    ({"shards": 1.5}, "shards: must be a whole number of files from 1 to 256, got 1.5"),
    ({"attribution_days": 0}, "attribution_days: must be a whole number of days from 1 to 90"),
    ({"encrypt_to": []}, "encrypt_to: must be the partner's public age recipient"),
    ({"encrypt_to": [RECIPIENT, RECIPIENT]}, "or a list of them, each once"),
    ({"encrypt_to": [RECIPIENT, RECIPIENT[:-1]]}, "recipient 2 is no whole age recipient"),
    ({"encrypt_to": f"AGE-SECRET-KEY-{SECRET}"}, "encrypt_to: must be the partner's public age recipient"),
    ({"deliver_to": "/srv/packages"}, "deliver_to: must be a URL"),
    ({"deliver_to": f"s3://key:{SECRET}@bucket/path"}, "deliver_to: holds credentials or options"),
    ({"deliver_to": f"sftp://user%3A{SECRET}@host/path"}, "deliver_to: holds credentials or options"),
    ({"deliver_to": f"https://host/path?sig={SECRET}"}, "deliver_to: holds credentials or options"),
    ({"deliver_to": f"s3://{SECRET} x"}, "deliver_to: must be a URL"),
    ({"deliver_to": f"nowhere://{SECRET}"}, "deliver_to: must begin with a protocol that fsspec knows"),
    ({"deliver_to": f"sftp://[{SECRET}/path"}, "deliver_to: is no URL that can be read"),
    ({"platform": "google"}, 'platform is for kind platform only, and this one\'s kind is "opaque"'),
    ({"accept_reversible": True}, "accept_reversible is for kind platform only"),
    ({"reason": REASON}, "reason is for kind platform only"),
    ({"profile": "uid2"}, "profile is for kind shared-key only"),
    ({"kind": "shared-key", "epoch": "month"}, "epoch is for kind opaque only"),
    ({**PLATFORM, "overlap_days": 3}, "overlap_days is for kind opaque only"),
    ({"kind": "platform"}, "platform is missing, which kind platform needs"),
    ({"kind": "platform"}, "accept_reversible is missing, which kind platform needs"),
    ({"kind": "platform"}, "reason is missing, which kind platform needs"),
    ({**PLATFORM, "platform": "amazon"}, "platform: must be one of google, google-data-manager, meta, uid2"),
    ({**PLATFORM, "accept_reversible": False}, "accept_reversible: must be true"),
    ({**PLATFORM, "reason": "because"}, "reason: must be a text of 20 to 500 characters"),
    ({**PLATFORM, "reason": " " * 30}, "reason: must be a text of 20 to 500 characters"),
    ({"kind": "shared-key", "profile": "mine"}, "profile: must be one of sophilux, uid2"),
]


def write(tmp_path, text):
    path = tmp_path / "partners.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return path


def refuse(tmp_path, text):
    """The message with which a file is refused."""
    with pytest.raises(UsageError) as caught:
        load_partners(write(tmp_path, text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_of_names_and_countries_gets_the_defaults(tmp_path):
    path = write(tmp_path, "partners:\n- {name: adnet-eu, countries: [DE, FR]}\n- {name: w, countries: [all]}\n")
    assert load_partners(path) == (Partner("adnet-eu", ("DE", "FR")), Partner("w", ("all",)))
    assert load_eligibility(path) == ExportRules(policy_valid_from=None, age_required_in=("all",))
    assert load_partners(path)[0] == Partner(
        name="adnet-eu",
        countries=("DE", "FR"),
        kind="opaque",
        epoch="quarter",
        overlap_days=30,
        minimum_segment=20,
        format="parquet",
        shards=1,
        encrypt_to=(),
        deliver_to=None,
        platform=None,
        accept_reversible=False,
        reason=None,
        profile="sophilux",
        attribution_days=7,
    )


def test_every_field_is_read(tmp_path):
    shared = {"name": "loyalty", "kind": "shared-key", "countries": ["all"], "profile": "uid2", "encrypt_to": RECIPIENT}
    platform = {"name": "search", "countries": ["all"], **PLATFORM}
    rules = {"policy_valid_from": "2026-01-31", "age_required_in": ["DE", "US"]}
    file = load_partners_file(write(tmp_path, {"eligibility": rules, "partners": [FULL, shared, platform]}))
    assert file.eligibility == ExportRules(date(2026, 1, 31), ("DE", "US"))
    lists = {"countries": ("DE", "NO"), "encrypt_to": (RECIPIENT,)}
    assert file.partners == (
        Partner(**{**FULL, **lists}),
        Partner("loyalty", ("all",), kind="shared-key", profile="uid2", encrypt_to=(RECIPIENT,)),
        Partner("search", ("all",), kind="platform", platform="google", accept_reversible=True, reason=REASON),
    )


def test_plain_yaml_means_what_it_says(tmp_path):
    text = """
        eligibility: {policy_valid_from: 2026-01-31}
        partners: [{name: on, countries: [NO], shards: 2.0}]
    """
    file = load_partners_file(write(tmp_path, text))
    assert (file.eligibility.policy_valid_from, file.partners[0].name) == (date(2026, 1, 31), "on")
    assert file.partners[0].countries == ("NO",)
    assert (file.partners[0].shards, type(file.partners[0].shards)) == (2, int)


@pytest.mark.parametrize(("changes", "mistake"), WRONG)
def test_refuses_what_could_mislead(tmp_path, changes, mistake):
    message = refuse(tmp_path, {"partners": [{"name": "adnet", "countries": ["DE"], **changes}]})
    assert "partners[0] (adnet)" in message
    assert mistake in message


@given(st.lists(st.sampled_from(WRONG), min_size=1, max_size=8))
def test_all_mistakes_are_told_at_once_and_no_secret(wrong):
    entries = [{"name": f"p{n}", "countries": ["DE"], **changes} for n, (changes, _) in enumerate(wrong)]
    rules = {"policy_valid_from": "2026-02-30", "age_required_in": ["ZZ", "all"]}
    mistakes = find_mistakes({"eligibility": rules, "partners": [*entries, "adnet"], "owner": "me"})
    text = "\n".join(mistakes)
    for number, (_, mistake) in enumerate(wrong):
        assert any(f"partners[{number}] (p{number})" in said and mistake in said for said in mistakes)
    for mistake in (
        "the file: there is no key",
        f"partners[{len(wrong)}]: must be a mapping",
        "eligibility policy_valid_from: must be a day such as 2026-01-01",
        "eligibility age_required_in: ZZ is no country code",
        "eligibility age_required_in: must be either [all]",
    ):
        assert mistake in text
    assert SECRET not in text


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", "a\n", "", ".", "A", "-a", "a" * 42, "é", "a b", 7, None])
def test_a_name_that_cannot_name_a_folder_is_refused_readably(tmp_path, name):
    message = refuse(tmp_path, {"partners": [{"name": name, "countries": ["DE"]}]})
    assert "name: must be lower-case letters, digits and hyphens" in message
    assert "because folders are called so" in message


@pytest.mark.parametrize("name", ["a", "7", "a" * 41, "adnet-eu-2"])
def test_names_of_letters_digits_and_hyphens_are_taken(name):
    assert find_mistakes({"partners": [{"name": name, "countries": ["DE"]}]}) == []


@pytest.mark.parametrize(
    ("field", "one", "other"), [("name", "a", "a"), ("deliver_to", "s3://bucket/x", "s3://bucket/x/")]
)
def test_two_partners_share_neither_name_nor_place(tmp_path, field, one, other):
    entries = [{"name": f"p{n}", "countries": ["DE"], field: value} for n, value in enumerate([one, "b://c", other])]
    message = refuse(tmp_path, {"partners": entries})
    assert message.count("another partner has the same") == 2
    assert f"partners[0] ({entries[0]['name']}) {field}: another partner has the same" in message


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (": [", "cannot be read as YAML"),
        ("partners: []\npartners: []", "the key partners occurs twice, line 2"),
        ("partners: [{name: a, countries: [DE], name: b}]", "the key name occurs twice"),
        ("", "must be a mapping with the key partners"),
        ("partners:", "partners: must be a list of partners, got null"),
        ("eligibility: {}", "partners is missing"),
        ("eligibility: {policy_valid_from: 2026-01-31 10:00:00}\npartners: []", "must be a day"),
        ("eligibility: {age_required_in: []}\npartners: []", "must be a list of two-letter country codes"),
        ("partners: [{name: a, countries: [DE], accept_reversible: yes}]", "accept_reversible: must be true"),
        ("{1: 2, partners: [[1]]}", "there is no key 1"),
        ("!!python/object/apply:os.getcwd []", "cannot be read as YAML"),
    ],
)
def test_refuses_files_of_another_shape(tmp_path, text, mistake):
    assert mistake in refuse(tmp_path, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["all", "name", "partners"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["eligibility", "partners", "name", "countries", "kind", "encrypt_to", "deliver_to"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_judged_without_a_crash(document):
    mistakes = find_mistakes(document)
    assert all("\n" not in mistake for mistake in mistakes)
    assert mistakes or isinstance(document["partners"], list)


def test_the_schema_is_one_and_has_a_field_for_every_field_of_a_partner():
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    fields = schema["$defs"]["partner"]["properties"]
    assert set(fields) == set(Partner.__dataclass_fields__)
    assert set(schema["properties"]["eligibility"]["properties"]) == set(ExportRules.__dataclass_fields__)
    plain = Partner("a", ("DE",))
    assert {name: field["default"] for name, field in fields.items() if "default" in field} == {
        name: getattr(plain, name) for name, field in fields.items() if "default" in field
    }
    assert {*KINDS_OF_FIELD, *NEEDED["platform"]} <= set(fields)


def test_hashes_that_look_like_formulas_go_out_as_parquet_only():
    platform = {"name": "dsp", "countries": ["all"], "kind": "platform", "accept_reversible": True, "reason": REASON}
    assert find_mistakes({"partners": [{**platform, "platform": "meta", "format": "csv"}]}) == []
    (mistake,) = find_mistakes({"partners": [{**platform, "platform": "uid2", "format": "csv"}]})
    assert "format must be parquet for platform uid2" in mistake


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="SOPHILUX_PARTNERS_FILE"):
        load_partners(tmp_path / "none.yaml")


def test_an_unknown_partner_lists_the_known_ones(tmp_path):
    path = write(tmp_path, "partners: [{name: adnet, countries: [DE]}]")
    with pytest.raises(UsageError, match=r"'other'.*adnet"):
        find_partner(path, "other")
