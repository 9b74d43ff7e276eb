"""Open files: a connection is one, and the usual soft limit is 1,024."""

import resource

import structlog

# For what a process has open besides: its database, its log, its libraries.
_SPARE = 100

_log = structlog.get_logger(__name__)


def allow_connections(most: int) -> None:
    """Raise this process's limit of open files so far that so many connections fit, if the hard limit permits it."""
    wanted = most + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    permitted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if permitted < wanted:
        _log.warning(
            "fewer connections fit than STORECAST_MAX_CONNECTIONS says: raise nofile", wanted=wanted, nofile=hard
        )
    if soft != resource.RLIM_INFINITY and soft < permitted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (permitted, hard))
