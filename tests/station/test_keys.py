"""API keys: shown once, stored as digests, ordered roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blemish.core.errors import NotFoundError, UsageError
from blemish.station.database import Database
from blemish.station.keys import KeyStore, Role


@pytest.fixture
def keys(database: Database) -> KeyStore:
    return KeyStore(database)


def test_each_role_allows_what_those_before_it_may() -> None:
    allowed = {(has, needs) for has in Role for needs in Role if has.allows(needs)}
    v, o, a = Role.VIEWER, Role.OPERATOR, Role.ADMIN
    assert allowed == {(v, v), (o, v), (o, o), (a, v), (a, o), (a, a)}


@pytest.mark.parametrize("role", list(Role))
def test_a_token_finds_its_key_until_it_is_revoked(keys: KeyStore, role: Role) -> None:
    assert not keys.any()
    token = keys.create("line-4", role)
    assert re.fullmatch(r"blemish_[A-Za-z0-9_-]{43}", token)
    found = keys.find(token)
    assert found is not None
    assert (found.name, found.role, found.revoked) == ("line-4", role, None)
    assert keys.any()
    assert keys.list()[0].last_used is not None
    keys.revoke("line-4")
    assert keys.find(token) is None
    assert not keys.any()
    assert keys.list()[0].revoked is not None


@pytest.mark.parametrize("token", ["", "blemish_", "x" * 10**6, "\0", "\ud800", "blemish_' OR 1=1 --", "é"])
def test_other_tokens_find_nothing(keys: KeyStore, token: str) -> None:
    right = keys.create("a", "admin")
    assert keys.find(token) is None
    assert keys.find(right[:-1]) is None
    assert keys.find(right + "x") is None


def test_neither_token_nor_a_part_of_it_is_on_disk(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'blemish.db'}")
    opened.upgrade()
    tokens = [KeyStore(opened).create(f"key{n}", Role.ADMIN) for n in range(5)]
    opened.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for token in tokens:
        assert token.encode()[8:20] not in content


def test_names_are_given_once(keys: KeyStore) -> None:
    keys.create("a", Role.VIEWER)
    keys.revoke("a")
    with pytest.raises(UsageError, match="There is, or was, a key named a"):
        keys.create("a", Role.VIEWER)
    with pytest.raises(NotFoundError, match="blemish key list"):
        keys.revoke("b")


@pytest.mark.parametrize(
    ("name", "role"), [("", "admin"), ("a b", "admin"), ("x" * 81, "admin"), ("a", "root")]
)
def test_what_cannot_be_a_key_is_refused(keys: KeyStore, name: str, role: str) -> None:
    with pytest.raises(UsageError):
        keys.create(name, role)
    assert keys.list() == []


def test_two_names_have_two_tokens(keys: KeyStore) -> None:
    assert len({keys.create(f"k{n}", Role.VIEWER) for n in range(20)}) == 20
    assert [key.name for key in keys.list()] == sorted(f"k{n}" for n in range(20))
