"""YAML without the surprises of version 1.1: ``NO`` is Norway, a day stays text, and no key may come twice."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from jobs.errors import UsageError

SURPRISING: Final = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
BOOLEAN: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


class StrictLoader(yaml.SafeLoader):
    """Booleans are ``true`` and ``false`` only."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; refuses a key that comes twice, of which YAML would keep the last."""
        names = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in names[:number]:
                reason = f"the key {key.value} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, reason, key.start_mark)
        return super().construct_mapping(node, deep)


StrictLoader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] not in SURPRISING]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", BOOLEAN, list("tTfF"))


def read_yaml(path: Path, what: str) -> Any:  # noqa: ANN401
    """The document of a YAML file.

    Args:
        path: the file.
        what: what it is called in messages, such as ``partners file``.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it cannot be read as YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)  # noqa: S506 - a safe loader's child
    except FileNotFoundError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = f"{error.problem}, line {mark.line + 1}" if mark else str(error.problem)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
    message = f"The {what} {path} cannot be read as YAML: {reason}."
    raise UsageError(message)
