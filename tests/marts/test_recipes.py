import pytest

from jobs.errors import UsageError
from jobs.marts.recipes import BOUGHT, DEFAULTS, VIEWED, load_recipes


def write(tmp_path, text):
    path = tmp_path / "recommendations.yaml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_hold():
    assert load_recipes(None) == DEFAULTS


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    recipes = load_recipes(write(tmp_path, "also_viewed: {min_people: 5, within: category}\n"))
    assert (recipes["also_viewed"].min_people, recipes["also_viewed"].within) == (5, "category")
    assert recipes["also_viewed"].cap == VIEWED.cap
    assert recipes["also_bought"] == BOUGHT
    assert load_recipes(write(tmp_path, "")) == DEFAULTS


def test_all_mistakes_are_told_at_once(tmp_path):
    path = write(tmp_path, "also_viewed: {min_people: 1, within: aisle}\nalso_liked: {}\n")
    with pytest.raises(UsageError, match="is not as it must be") as told:
        load_recipes(path)
    assert all(mistake in str(told.value) for mistake in ("also_viewed.min_people", "also_viewed.within", "also_liked"))


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_a_file_that_is_no_yaml_is_told(tmp_path, text):
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipes(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipes(tmp_path / "none.yaml")
