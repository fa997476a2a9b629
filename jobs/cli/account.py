"""Who runs a command."""

import os
import pwd


def name_account() -> str:
    """The account of whoever runs the command; its number where it has no name, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
