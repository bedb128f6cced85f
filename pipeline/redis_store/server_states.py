"""Which errors of a Redis server are final, and which are a state of it that passes.

A server that loads its data, was made a replica, has a full disk or too many clients answers with
an error too, and serves again without a change on our side. A publisher or subscriber waits for it,
as for a lost connection; what is final is listed here.
"""

from __future__ import annotations

import re

import redis
from redis.exceptions import (
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    ExternalAuthProviderError,
    MovedError,
    NoPermissionError,
)

# Errors of the user, the permissions and the key: the same command will never succeed. In a script
# the code stands somewhere in the text; of a permission a script reports no code at all.
_FINAL_TYPES = (
    redis.AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    NoPermissionError,
    redis.DataError,  # redis-py itself cannot send the command
)
_PERMISSION = r"\bNOPERM\b|user executing the script can't|ACL failure in script"
_PERMISSION_TEXT = re.compile(_PERMISSION, re.I)
_FINAL_TEXT = re.compile(
    rf"\b(NOAUTH|WRONGPASS|WRONGTYPE)\b|{_PERMISSION}|unknown (sub)?command|unknown redis command",
    re.I,
)
_TOO_MANY_CLIENTS = "max number of clients"
_CODE = re.compile(r"\b(?!ERR\b)[A-Z]{3,}\b")
# A server that answers so may no longer be the one that its name leads to.
_DEMOTED = {"READONLY", "UNBLOCKED", "MASTERDOWN"}
# redis-py has a class for these, and drops the code from the text.
_CODES = {
    "BusyLoadingError": "LOADING",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "MovedError": "MOVED",
}


def is_final(error: Exception) -> bool:
    """Return whether no waiting changes the answer: user, permission, type of the key, command."""
    if isinstance(error, ExternalAuthProviderError):  # of a class that is final, but an outage
        return False
    return isinstance(error, _FINAL_TYPES) or _FINAL_TEXT.search(str(error)) is not None


def is_permission(error: Exception) -> bool:
    """Return whether the user lacks the permission to run a command, directly or in a script."""
    denied = _PERMISSION_TEXT.search(str(error)) is not None
    return isinstance(error, NoPermissionError) or denied


def is_answer(error: Exception) -> bool:
    """Return whether a server answered; else it cannot be reached or is silent."""
    if isinstance(error, redis.exceptions.BusyLoadingError) or _TOO_MANY_CLIENTS in str(error):
        return True
    return not isinstance(error, redis.ConnectionError | redis.TimeoutError)


def state_of(error: Exception) -> str:
    """Return a short name of what the server reports, such as `READONLY` or `LOADING`.

    The same state has the same name in a script and outside of one: it is reported once.
    """
    name = type(error).__name__
    if name in _CODES:
        return _CODES[name]
    found = _CODE.search(str(error)) if is_answer(error) else None
    return name if found is None else found[0]


def may_have_moved(error: Exception) -> bool:
    """Return whether to connect again: the name may lead to another server since a failover."""
    return state_of(error) in _DEMOTED


def advice_on(error: Exception) -> str:
    """Return what a user can do about a state; empty where the server's own text has it."""
    if isinstance(error, MovedError):
        return " (it is a node of a cluster: connect by redis+cluster://)"
    if state_of(error) in _DEMOTED:
        return " (it is a replica now, or has no primary)"
    return ""
