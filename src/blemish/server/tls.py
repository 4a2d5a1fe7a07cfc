"""https without a proxy: a certificate that is given, or one made for this machine and kept in the home.

A browser lends its camera to https and to localhost alone.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blemish.core.errors import UsageError
from blemish.core.storage import write_bytes, write_private
from blemish.server.settings import ServerSettings

VALID_DAYS = 398
"""Longer ones browsers refuse."""

RENEWED_DAYS = 30
"""How long before its end a made certificate is made anew, at the start of the server."""

_EARLIER = timedelta(hours=1)  # clocks of those who come differ


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and its private key; `own` where Blemish has made it, which nobody trusts yet."""

    file: Path
    private_key: Path
    own: bool = False


def certificate_for(settings: ServerSettings, home: Path) -> Certificate | None:
    """What a server with these settings shows to those who come by https; None for plain http.

    Raises:
        UsageError: a given file cannot be used.
        BlemishError: one cannot be made.
    """
    if settings.certificate is not None:
        return _given(settings.certificate, settings.private_key or settings.certificate)
    return own_certificate(home, _wanted_names(settings)) if settings.tls else None


def own_certificate(home: Path, names: Iterable[str]) -> Certificate:
    """The certificate of a home for these names and addresses; made if absent, ending soon, or without one of them.

    Raises:
        BlemishError: it cannot be written.
    """
    folder, names = home / "tls", list(names)
    found = Certificate(folder / "certificate.pem", folder / "private-key.pem", own=True)
    with suppress(UsageError):
        certificate = _checked(found)
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        # Addresses of IPv6 change by themselves: for them alone nobody is asked to trust another certificate.
        needed = {name for name in names if ":" not in name}
        if left > timedelta(days=RENEWED_DAYS) and needed <= _names_of(certificate):
            return found
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(found.private_key, private)
    write_bytes(found.file, _signed(key, names).public_bytes(serialization.Encoding.PEM))
    return found


def machine_names() -> list[str]:
    """What this machine is called by others, as far as it knows: names and addresses, those of loopback first."""
    names = ["localhost", "127.0.0.1", "::1"]
    host = socket.gethostname()
    for name in (host, socket.getfqdn(), f"{host.partition('.')[0]}.local"):
        if name and name.isascii() and len(name) < 64:
            names.append(name.lower())
    with suppress(OSError):
        names += [str(address[4][0]).partition("%")[0] for address in socket.getaddrinfo(host, None)]
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((somewhere, 9))  # sends nothing: it says by which address this machine would
            names.append(str(asked.getsockname()[0]).partition("%")[0])
    return list(dict.fromkeys(names))


def _wanted_names(settings: ServerSettings) -> list[str]:
    names = machine_names()
    if settings.host not in ("0.0.0.0", "::"):
        names.append(settings.host.lower())
    if settings.public_url:
        names.append(settings.public_origin[1].rpartition("@")[2].partition(":")[0])
    return list(dict.fromkeys(names))


def _signed(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    """A certificate of these names, signed by its own key; it vouches for nothing else, wherever it is trusted."""
    now = datetime.now(UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64] or "localhost"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Blemish, made on this machine"),
        ]
    )
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now - _EARLIER + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in names}


def _given(file: Path, private_key: Path) -> Certificate:
    """A certificate of the administrator's.

    Raises:
        UsageError: it cannot be used, or is not valid today.
    """
    found = Certificate(file, private_key)
    certificate, now = _checked(found), datetime.now(UTC)
    if certificate.not_valid_after_utc < now:
        raise UsageError(
            f"The certificate {file} has ended on {certificate.not_valid_after_utc:%Y-%m-%d}: have it renewed, or use "
            "--tls."
        )
    if certificate.not_valid_before_utc > now:
        raise UsageError(
            f"The certificate {file} begins on {certificate.not_valid_before_utc:%Y-%m-%d} only: see whether this "
            "machine's clock is right."
        )
    return found


def _checked(found: Certificate) -> x509.Certificate:
    """The certificate of two files that belong together.

    Raises:
        UsageError: one cannot be read, or they do not.
    """
    certificate = _read_certificate(found.file)
    content = _content(found.private_key, "--private-key")
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError as error:
        raise UsageError(
            f"The private key {found.private_key} is locked with a password: give one without, readable by this user "
            "alone."
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{found.private_key} holds no private key in PEM: name its file with --private-key."
        ) from error
    public = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*public) != certificate.public_key().public_bytes(*public):
        raise UsageError(
            f"The private key {found.private_key} does not belong to the certificate {found.file}: name the one "
            "that it was made with."
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(found.file, found.private_key)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"The certificate {found.file} cannot be used for https: make another one."
        ) from error
    return certificate


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(_content(file, "--certificate"))[0]
    except ValueError as error:
        raise UsageError(f"{file} holds no certificate in PEM: name its file with --certificate.") from error


def _content(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{file} cannot be read ({reason}): name another file with {option}.") from error
