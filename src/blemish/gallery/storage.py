"""Opening Qdrant: a server by its URL, or embedded in a folder, which belongs to one process and one user."""

from __future__ import annotations

import io
import os
import pickle
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blemish.core.errors import GalleryError

SERVER_KEY_VARIABLE = "BLEMISH_QDRANT_KEY"
_SERVER_SECONDS = 10
_META = "meta.json"
_LOCK = ".blemish-lock"


class _PointsOnly(pickle.Unpickler):
    """Embedded Qdrant keeps its points pickled: let it load those, and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "PointStruct" and module.startswith("qdrant_client.http.models"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a point")


class _PlainPickle:
    """Stands in for the module `pickle` inside embedded Qdrant."""

    dumps = staticmethod(pickle.dumps)

    @staticmethod
    def loads(content: bytes) -> Any:
        return _PointsOnly(io.BytesIO(content)).load()


def is_server(location: Path | str) -> bool:
    """Whether a gallery's location is the URL of a server."""
    return str(location).startswith(("http://", "https://"))


def shown(location: Path | str) -> str:
    """The location without a password that a URL may carry."""
    if not is_server(location):
        return str(location)
    parts = urlsplit(str(location))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def open_server(url: str) -> Any:
    """A client of the Qdrant server at `url`; its key, if it wants one, is in `BLEMISH_QDRANT_KEY`.

    Raises:
        GalleryError: nothing answers there.
    """
    from qdrant_client import QdrantClient

    key = os.environ.get(SERVER_KEY_VARIABLE) or None
    with explained(url), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a key over plain HTTP: the user's own network
        client = QdrantClient(url=url, api_key=key, timeout=_SERVER_SECONDS, check_compatibility=False)
        try:
            client.get_collections()
        except Exception:
            client.close()
            raise
    return client


def open_folder(folder: Path) -> Any:
    """An embedded client on a folder, made with mode 0700 if there is none; lock it first with `hold`.

    Raises:
        GalleryError: it cannot be read, or holds something else than points.
    """
    import qdrant_client.local.persistence as persistence
    from qdrant_client import QdrantClient

    vars(persistence)["pickle"] = _PlainPickle
    warnings.filterwarnings("ignore", message="Local mode is not recommended")  # docs/gallery.md says it
    with explained(folder):
        meta = folder / _META
        if meta.exists() and not meta.stat().st_size:
            meta.unlink()  # killed while the folder was made: nothing was in it yet
        return QdrantClient(path=str(folder), force_disable_check_same_thread=True)


def hold(folder: Path) -> AbstractContextManager[Any]:
    """Lock a gallery's folder for this process, until the returned lock's `release()` or the end of the process.

    Raises:
        GalleryError: another process has it, or it cannot be made.
    """
    import portalocker

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = portalocker.Lock(
            folder / _LOCK,
            "a",
            timeout=0,
            flags=portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING,
        )
        lock.acquire()
    except portalocker.exceptions.LockException as error:
        raise GalleryError(
            f"The gallery {folder} is in use by another process (blemish serve, for example): end that, "
            "or share one Qdrant server by its URL."
        ) from error
    except OSError as error:
        raise _unusable(folder, error) from error
    return lock


@contextmanager
def explained(location: Path | str) -> Iterator[None]:
    """Whatever Qdrant raises inside, as one sentence.

    Raises:
        GalleryError: something was raised.
    """
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as error:
        hint = f"set {SERVER_KEY_VARIABLE}" if error.status_code in (401, 403) else "look into its log"
        raise GalleryError(
            f"The Qdrant server at {shown(location)} refused ({error.status_code}): {hint}."
        ) from error
    except ApiException as error:
        raise GalleryError(
            f"No Qdrant server answers at {shown(location)}: start it, or correct the gallery's URL."
        ) from error
    except pickle.UnpicklingError as error:
        raise GalleryError(
            f"The gallery {location} is refused because it holds something else than defects ({error}): "
            "name one that Blemish has made, or index anew into an empty folder."
        ) from error
    except (
        OSError,
        sqlite3.Error,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise _unusable(location, error) from error


def _unusable(location: Path | str, error: Exception) -> GalleryError:
    cause = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:200]
    return GalleryError(
        f"The gallery {shown(location)} cannot be used ({cause}): check the folder's rights and the disk's space, "
        "or index anew into an empty one."
    )
