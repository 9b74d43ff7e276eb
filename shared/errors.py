"""Errors that both services know.

StartupError    the operator must change something; shown as one line, exit code 2
"""


class StartupError(Exception):
    """The service cannot run as it is set up. The message is one line that names the fix."""
