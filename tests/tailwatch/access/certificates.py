"""A certificate authority of the tests' own: chains with an issuer between, as those of public authorities are."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its issuers, and its key, as files."""

    cert_file: Path
    key_file: Path


class Authority:
    """A root whose certificate is ``ca_file``, and an issuer below it."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        self._root = self._made("Root", None, DAY * 30, authority=True)
        self._issuer = self._made("Issuer", self._root, DAY * 30, authority=True)
        self.ca_file.write_bytes(_pem(self._root[0]))

    def issue(self, name: str = "server", begins: dt.timedelta = -DAY, lasts: dt.timedelta = DAY * 3) -> Issued:
        """For localhost and 127.0.0.1; the files are called by ``name``, and replaced where they are there."""
        certificate, key = self._made(name, self._issuer, lasts, begins=begins)
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for file, content in (
            (issued.key_file, secret),
            (issued.cert_file, _pem(certificate) + _pem(self._issuer[0])),
        ):
            beside = file.with_suffix(".new")
            beside.write_bytes(content)
            beside.replace(file)
        return issued

    def _made(
        self,
        name: str,
        issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
        lasts: dt.timedelta,
        *,
        begins: dt.timedelta = -DAY,
        authority: bool = False,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        start = dt.datetime.now(dt.UTC) + begins
        signer = key if issuer is None else issuer[1]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer[0].subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if not authority:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256()), key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
