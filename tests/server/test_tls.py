"""https without a proxy: with a certificate made in the home, or given."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from server_process import start_server

from blemish.core.errors import UsageError
from blemish.server import tls
from blemish.server.settings import ServerSettings
from blemish.server.tls import certificate_for, machine_names, own_certificate
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.keys import KeyStore, Role

DAY = dt.timedelta(days=1)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_service_over_https_is_trusted_by_the_certificate_it_has_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    database = Database(home.database_url)
    database.upgrade()
    key = KeyStore(database).create("anna", Role.ADMIN)
    database.close()
    server, address = start_server(home.path, "--tls", "--require-keys", "--no-laboratory", page=True)
    with server:
        try:
            assert address.startswith("https://127.0.0.1:")
            port = address.rpartition(":")[2]
            trusting = ssl.create_default_context(cafile=str(home.path / "tls" / "certificate.pem"))
            for name in ("127.0.0.1", "localhost"):
                with httpx.Client(
                    base_url=f"https://{name}:{port}", verify=trusting, trust_env=False
                ) as client:
                    assert client.get("/healthz").json()["status"] == "ok"
                    own = {"Origin": str(client.base_url).rstrip("/")}
                    cookie = client.post("/sign-in", data={"key": key}, headers=own).headers["set-cookie"]
                    assert "; Secure" in cookie
                    assert client.get("/v1/keys").status_code == 200
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx.get(f"{address}/healthz", trust_env=False)
        finally:
            server.terminate()
            server.wait(20)


def test_the_made_certificate_is_for_this_machine_and_its_key_for_its_owner(tmp_path: Path) -> None:
    found = own_certificate(tmp_path, machine_names())
    made = read(found.file)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(one.value) for one in names} == set(machine_names()) >= {"localhost", "127.0.0.1", "::1"}
    assert not made.extensions.get_extension_for_class(
        x509.BasicConstraints
    ).value.ca  # it vouches for nobody else
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days == 398
    assert found.private_key.stat().st_mode & 0o777 == 0o600
    assert found.private_key.parent.stat().st_mode & 0o777 == 0o700
    assert b"PRIVATE" not in found.file.read_bytes()


def test_it_is_made_once_and_again_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["localhost", "127.0.0.1"]
    first = own_certificate(tmp_path, names).file.read_bytes()
    assert own_certificate(tmp_path, names).file.read_bytes() == first
    assert own_certificate(tmp_path, [*names, "fd00::7"]).file.read_bytes() == first
    second = own_certificate(tmp_path, [*names, "press-2.plant.example"]).file.read_bytes()
    assert second != first
    monkeypatch.setattr(tls, "RENEWED_DAYS", 397)
    assert own_certificate(tmp_path, [*names, "press-2.plant.example"]).file.read_bytes() == second
    monkeypatch.setattr(tls, "RENEWED_DAYS", 398)
    third = own_certificate(tmp_path, [*names, "press-2.plant.example"])
    assert third.file.read_bytes() != second
    third.private_key.write_text("half a k")  # a crash, or a careless hand
    monkeypatch.setattr(tls, "RENEWED_DAYS", 30)
    repaired = own_certificate(tmp_path, names)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(repaired.file, repaired.private_key)


def written(
    folder: Path, name: str, begins: dt.timedelta, ends: dt.timedelta, password: bytes | None = None
) -> tuple[Path, Path]:
    """A certificate of RSA and its key, as a plant's own authority gives them."""
    now = dt.datetime.now(dt.UTC)
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number(), now + begins, now + ends
    )
    pem = serialization.Encoding.PEM
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked))
    return certificate, private


def test_what_cannot_be_served_is_said_before_anything_listens(tmp_path: Path) -> None:
    good, good_key = written(tmp_path, "good", -DAY, DAY)
    ended, ended_key = written(tmp_path, "ended", -3 * DAY, -DAY)
    early, early_key = written(tmp_path, "early", DAY, 2 * DAY)
    locked, locked_key = written(tmp_path, "locked", -DAY, DAY, b"secret")
    nothing = tmp_path / "nothing.pem"
    text = tmp_path / "text.pem"
    text.write_text("no certificate at all")
    cases: list[tuple[Path, Path, str]] = [
        (nothing, good_key, r"nothing\.pem cannot be read \(no such file or directory\).*--certificate"),
        (good, nothing, r"nothing\.pem cannot be read .*--private-key"),
        (tmp_path, good_key, "cannot be read"),
        (text, good_key, "holds no certificate in PEM"),
        (good, text, "holds no private key in PEM"),
        (good, ended_key, r"ended\.key does not belong to the certificate .*good\.pem"),
        (ended, ended_key, "has ended on 20"),
        (early, early_key, "begins on 20"),
        (locked, locked_key, "locked with a password"),
    ]
    for certificate, key, said in cases:
        settings = ServerSettings(certificate=certificate, private_key=key)
        with pytest.raises(UsageError, match=said):
            certificate_for(settings, tmp_path)
    found = certificate_for(ServerSettings(certificate=good, private_key=good_key), tmp_path)
    assert found and (found.file, found.private_key, found.own) == (good, good_key, False)
    both = tmp_path / "both.pem"
    both.write_bytes(good.read_bytes() + good_key.read_bytes())
    assert certificate_for(ServerSettings(certificate=both), tmp_path) is not None
    assert certificate_for(ServerSettings(), tmp_path) is None
    assert not (tmp_path / "tls").exists()


def test_options_that_say_two_things_are_refused(tmp_path: Path, blemish: Any) -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        ServerSettings(tls=True, certificate=tmp_path / "a.pem")
    with pytest.raises(ValidationError, match="add --certificate"):
        ServerSettings(private_key=tmp_path / "a.key")
    outcome = blemish("serve", "--home", tmp_path, "--port", 0, "--certificate", tmp_path / "none.pem")
    assert outcome.status == 1 or outcome.status == 2
    assert "cannot be read" in outcome.stderr and "Traceback" not in outcome.stderr
