"""How the command line ends: 0 done, 1 failed, 2 asked for something that cannot be; one line says why.

``--debug``, anywhere on the line, shows the traceback instead. Of unexpected errors only the kind is printed, because
an engine's message may quote a row's values.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup

from jobs.errors import SophiluxError, UsageError

DEBUG: Final = "--debug"
FAILED: Final = 1
WRONG_USE: Final = 2


class OneLineErrors(TyperGroup):
    """The root command; every error leaves through here."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:  # noqa: ANN401
        """Run a command line and exit with its code."""
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        wants_debug = DEBUG in given
        given = [arg for arg in given if arg != DEBUG]
        _set_up_logging(logging.INFO if wants_debug else logging.WARNING)
        extra["standalone_mode"] = False
        try:
            result = super().main(given, *more, **extra)
        except BrokenPipeError:
            sys.exit(FAILED)
        except Exception as error:  # noqa: BLE001
            if wants_debug:
                traceback.print_exc()
            else:
                typer.echo(describe(error), err=True)
            sys.exit(find_code(error))
        sys.exit(result if isinstance(result, int) else 0)


def describe(error: Exception) -> str:
    """What to print for an error: its own message where that is safe, else its kind."""
    if isinstance(error, SophiluxError):
        return f"Error: {error}"
    if isinstance(error, typer.TyperException) and hasattr(error, "format_message"):
        return f"Error: {error.format_message()} Add --help to see how it is used."
    if isinstance(error, typer.Abort):
        return "Stopped."
    if isinstance(error, OSError):
        return f"Error: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return f"Error: unexpected {type(error).__name__}; run it again with {DEBUG} for the details."


def find_code(error: Exception) -> int:
    """The exit code for an error."""
    if isinstance(error, UsageError):
        return WRONG_USE
    return int(getattr(error, "exit_code", FAILED))


def _set_up_logging(level: int) -> None:
    import warnings

    warnings.simplefilter("ignore")
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s", handlers=[handler], force=True)
    for noisy in ("pyspark", "py4j", "great_expectations", "grpc"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
