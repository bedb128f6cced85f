"""Texts as servers of versions 6.2 and 7 send them, directly and out of a script."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser
from redis.exceptions import RedisClusterException
from redis.sentinel import MasterNotFoundError

from pipeline.redis_store.connection import NotPermittedError, explained
from pipeline.redis_store.server_states import is_answer, is_final, may_have_moved, state_of

IN_SCRIPT_7 = " script: 0d3d0f1c, on @user_script:4."
IN_SCRIPT_6 = "ERR Error running script (call to f_0d3d0f1c): @user_script:4: @user_script: 4: "

FINAL = [
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'xread' command",
    "NOPERM No permissions to access a key",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "WRONGTYPE Operation against a key holding the wrong kind of value" + IN_SCRIPT_7,
    IN_SCRIPT_6 + "-WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR ACL failure in script: The user executing the script can't run this command or subcommand",
    IN_SCRIPT_6 + "The user executing the script can't access at least one of the keys",
    "ACL failure in script: User pinger has no permissions to run the 'time' command script",
    "ERR unknown command 'XREADGROUP', with args beginning with: 'GROUP'",
    "ERR Client sent AUTH, but no password is set",
]
PASSING = {
    "LOADING Redis is loading the dataset in memory": "LOADING",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'": "MASTERDOWN",
    "READONLY You can't write against a read only replica.": "READONLY",
    "READONLY You can't write against a read only replica." + IN_SCRIPT_7: "READONLY",
    IN_SCRIPT_6 + "-READONLY You can't write against a read only replica.": "READONLY",
    "UNBLOCKED force unblock from blocking operation, instance state changed": "UNBLOCKED",
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist": "MISCONF",
    "MISCONF Errors writing to the AOF file: No space left on device": "MISCONF",
    IN_SCRIPT_6 + "-MISCONF Redis is configured to save RDB snapshots": "MISCONF",
    "NOREPLICAS Not enough good replicas to write.": "NOREPLICAS",
    "OOM command not allowed when used memory > 'maxmemory'.": "OOM",
    IN_SCRIPT_6 + "-OOM command not allowed when used memory > 'maxmemory'.": "OOM",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL": "BUSY",
    "CLUSTERDOWN The cluster is down": "CLUSTERDOWN",
    "CLUSTERDOWN Hash slot not served": "CLUSTERDOWN",
    "TRYAGAIN Multiple keys request during rehashing of slot": "TRYAGAIN",
    "ERR max number of clients reached": "ConnectionError",
    "ERR problem with LDAP service": "ExternalAuthProviderError",
    "BUSYKEY of a future version": "BUSYKEY",
    "ERR something that was never seen yet": "ResponseError",
}


def answer(text: str) -> Exception:
    """The error that redis-py makes of an answer."""
    error: Exception = BaseParser.parse_error(text)
    return error


@pytest.mark.parametrize("text", FINAL)
def test_user_permission_type_and_command_are_final(text: str) -> None:
    assert is_final(answer(text))
    assert "refuses" in str(explained(answer(text), "redis://host"))


@pytest.mark.parametrize(("text", "state"), PASSING.items())
def test_every_other_answer_is_a_state_that_passes(text: str, state: str) -> None:
    assert not is_final(answer(text))
    assert state_of(answer(text)) == state


def test_who_is_silent_gave_no_answer() -> None:
    silent = [redis.ConnectionError("Connection refused"), redis.TimeoutError("Timeout reading")]
    for error in (*silent, MasterNotFoundError("No master found for 'alarms'")):
        assert not is_answer(error)
        assert not is_final(error)
        assert "does not answer" in str(explained(error, "redis://host"))
    assert not is_final(RedisClusterException("Redis Cluster cannot be connected"))


@pytest.mark.parametrize("text", ["ERR max number of clients reached", *list(PASSING)[:3]])
def test_a_server_that_answers_is_not_called_silent(text: str) -> None:
    assert "cannot serve now" in str(explained(answer(text), "redis://host"))


def test_a_state_is_named_once() -> None:
    shown = str(explained(answer("NOREPLICAS Not enough good replicas to write."), "host"))
    assert (
        shown == "Redis at host cannot serve now (NOREPLICAS): Not enough good replicas to write."
    )


def test_a_server_that_was_demoted_is_looked_up_again() -> None:
    demoted = [text for text in PASSING if may_have_moved(answer(text))]
    assert {PASSING[text] for text in demoted} == {"READONLY", "UNBLOCKED", "MASTERDOWN"}


def test_a_permission_that_lacks_in_a_script_is_named_as_one() -> None:
    error = answer(FINAL[7])
    assert isinstance(explained(error, "redis://host"), NotPermittedError)


def test_what_a_server_says_is_shown_short_and_without_escapes() -> None:
    shown = str(explained(redis.ResponseError("\x1b[2J" + "x" * 10_000), "redis://host"))
    assert shown.isprintable()
    assert len(shown) < 500
