"""Certificates in a folder: our own pair, made at the first start, and those of the clients that may connect.

own.der, own.key.pem    the bridge's: clients are given own.der to trust
trusted/*.der           certificates of clients that may connect without a password
rejected/*.der          the newest that came and were not trusted; move one to trusted/ to let it in
"""

import contextlib
import hashlib
import os
import socket
import stat
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from pipeline import plain_file
from pipeline.errors import ConfigError

LARGEST_BYTES = 65_536
MOST_TRUSTED = 1000
MOST_REJECTED = 20
VALID_DAYS = 3650


class TrustFolder:
    """Reads `trusted/` anew at each login: a file that is removed refuses the client's next one."""

    def __init__(self, folder: Path, application_uri: str, host: str) -> None:
        """Read our own pair, and make it where there is none.

        Raises:
            ConfigError: the folder cannot be used, or what is in it is no pair.
        """
        self.folder = folder
        self._certificate, self._key = folder / "own.der", folder / "own.key.pem"
        try:
            for each in (folder, folder / "trusted", folder / "rejected"):
                each.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_mode & stat.S_IWOTH:
                raise ConfigError("anybody may write in it", where=str(folder), next_command=f"chmod o-w {folder}")
            if not self._certificate.exists() and not self._key.exists():
                self._make(application_uri, host)
        except OSError as problem:
            raise ConfigError(f"cannot be used ({problem.strerror})", where=str(folder)) from None
        self.certificate, self.key = self._read()
        self.application_uri = _uri_of(self.certificate) or application_uri

    def _make(self, application_uri: str, host: str) -> None:
        key = generate_private_key()
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(application_uri),
            x509.DNSName(socket.gethostname()),
        ]
        with contextlib.suppress(ValueError):
            names.append(x509.IPAddress(ip_address(host)))
        certificate = generate_self_signed_app_certificate(
            key, "datumd", {}, names, [ExtendedKeyUsageOID.SERVER_AUTH], days=VALID_DAYS
        )
        _write(self._key, dump_private_key_as_pem(key), 0o600)
        _write(self._certificate, certificate.public_bytes(Encoding.DER), 0o644)

    def _read(self) -> tuple[x509.Certificate, RSAPrivateKey]:
        der = plain_file.read(self._certificate, LARGEST_BYTES, ConfigError)
        pem = plain_file.read(self._key, LARGEST_BYTES, ConfigError)
        if stat.S_IMODE(self._key.stat().st_mode) & 0o077:
            raise ConfigError(
                "others may read this secret", where=str(self._key), next_command=f"chmod 600 {self._key}"
            )
        try:
            certificate = x509.load_der_x509_certificate(der)
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError):
            raise ConfigError(
                "own.der and own.key.pem are no certificate and key",
                where=str(self.folder),
                next_command=f"remove both, or put a pair of your own in {self.folder}",
            ) from None
        if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise ConfigError("own.der is not the certificate of own.key.pem", where=str(self.folder))
        return certificate, key

    def trusts(self, der: bytes) -> bool:
        """Whether this certificate stands in trusted/ and is valid today; else it is kept in rejected/ to be looked at."""
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError:
            return False
        if der not in self._trusted():
            self._keep(der)
            return False
        return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc

    def _trusted(self) -> set[bytes]:
        found = set()
        with contextlib.suppress(OSError):
            for path in sorted((self.folder / "trusted").glob("*.der"))[:MOST_TRUSTED]:
                with contextlib.suppress(ConfigError):
                    found.add(plain_file.read(path, LARGEST_BYTES, ConfigError, follow=False))
        return found

    def _keep(self, der: bytes) -> None:
        folder = self.folder / "rejected"
        with contextlib.suppress(OSError):
            if len(der) <= LARGEST_BYTES:
                _write(folder / f"{hashlib.sha1(der, usedforsecurity=False).hexdigest()}.der", der, 0o644)
            for path in sorted(folder.glob("*.der"), key=lambda each: each.stat().st_mtime_ns)[:-MOST_REJECTED]:
                path.unlink()


def _uri_of(certificate: x509.Certificate) -> str:
    """The application that the certificate names, "" where it names none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
