"""Documents of who may do what, and of what the server keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from blemish.server.storage_used import StorageUsed
from blemish.station.image_store import KeepPolicy
from blemish.station.keys import Key, Role

_ROLES = "viewer: look; operator: also judge, correct and decide; admin: also learn, activate, and make keys."


class KeyDocument(BaseModel):
    """A key, and so a person or a program that is known by it; the key itself is shown when it is made alone."""

    name: str
    role: Role
    created: datetime
    last_used: datetime | None = Field(description="To a minute; null if it never was.")
    revoked: datetime | None = Field(description="Since when it opens nothing; null while it is valid.")
    own: bool = Field(description="Whether it is the key of whoever asks.")

    @classmethod
    def of(cls, key: Key, caller: str) -> Self:
        """The document of a key for a caller."""
        return cls(**vars(key), own=key.name == caller)


class KeysDocument(BaseModel):
    """All keys by name, revoked ones too: a name is never given again."""

    keys: list[KeyDocument]


class NewKeyRequest(BaseModel):
    """A person or a program that is to be known."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        max_length=200,
        description="1 to 80 letters, digits, dots, dashes and underscores; never used before.",
    )
    role: Role = Field(description=_ROLES)


class NewKeyDocument(BaseModel):
    """A key that was made."""

    name: str
    role: Role
    key: str = Field(description="What is sent or signed in with; it cannot be shown again.")


class RetentionRequest(BaseModel):
    """Which photographs are to be kept."""

    model_config = ConfigDict(extra="forbid")

    keep: Literal["all", "rejects", "none"] = Field(
        description="rejects: rejected ones, those for review, and those not judged."
    )
    days: int | None = Field(
        ge=1, le=36_500, description="How long after they were last inspected; null: for ever."
    )
    gigabytes: float | None = Field(
        gt=0,
        le=1_000_000,
        description="How much they may take together, the oldest go first; null: what fits.",
    )


class RetentionDocument(BaseModel):
    """Which photographs are kept."""

    keep: Literal["all", "rejects", "none"]
    days: float | None
    gigabytes: float | None
    fixed: list[str] = Field(
        description="What an option of the command line has fixed for as long as the server runs."
    )

    @classmethod
    def of(cls, policy: KeepPolicy, fixed: frozenset[str]) -> Self:
        """The document of a policy."""
        return cls(keep=policy.keep, days=policy.days, gigabytes=policy.gigabytes, fixed=sorted(fixed))


class StorageDocument(BaseModel):
    """Bytes of what the server keeps; null for what another server keeps."""

    photographs: int
    database: int
    gallery: int | None
    inspectors: int
    jobs: int
    uploads: int
    disk_free: int = Field(description="Of the disk with the server's home.")
    disk_total: int

    @classmethod
    def of(cls, used: StorageUsed) -> Self:
        """The document of what is used."""
        return cls(**vars(used))
