"""Which files make a certificate, what is said of those that do not, and of one that ends."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tailwatch.access.binding import certificate_of, in_clear
from tailwatch.access.certificate import Certificate
from tailwatch.settings import load_settings
from telemetry.errors import ConfigError
from telemetry.windows import NANOS
from tests.tailwatch.access.certificates import DAY, Authority


def ns(moment: dt.datetime) -> int:
    return round(moment.timestamp() * NANOS)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_what_cannot_be_used_is_said(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    text, locked = tmp_path / "text", tmp_path / "locked"
    text.write_text("nothing of the kind")
    key = serialization.load_pem_private_key(good.key_file.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    cases = {
        (good.cert_file, tmp_path / "none"): ("the file cannot be read: No such file or directory", "tls_key_file"),
        (tmp_path, good.key_file): ("the file cannot be read: Is a directory", "tls_cert_file"),
        (text, good.key_file): ("there is no certificate in it", "tls_cert_file"),
        (good.key_file, good.key_file): ("there is no certificate in it", "tls_cert_file"),
        (good.cert_file, other.key_file): ("the key is not that of the certificate", "tls_key_file"),
        (good.cert_file, text): ("there is no key in it that can be used", "tls_key_file"),
        (good.cert_file, locked): ("there is no key in it that can be used", "tls_key_file"),
    }
    for (cert_file, key_file), (what, setting) in cases.items():
        with pytest.raises(ConfigError) as caught:
            Certificate(cert_file, key_file)
        wrong = cert_file if setting == "tls_cert_file" else key_file
        assert (caught.value.what, caught.value.where) == (what, f"{setting}: {wrong}")
        assert caught.value.remedy


@pytest.mark.parametrize("there", ["tls_cert_file", "tls_key_file"])
def test_one_file_alone_is_refused(there: str) -> None:
    with pytest.raises(ConfigError, match=f"{there} is set, and tls_.*_file is not"):
        certificate_of(load_settings(overrides={there: "x.pem"}))


def test_without_files_there_is_no_tls() -> None:
    assert certificate_of(load_settings()) is None


def test_a_certificate_is_told_of_before_it_ends(authority: Authority) -> None:
    issued = authority.issue(begins=dt.timedelta(), lasts=10 * DAY)
    certificate, now = Certificate(issued.cert_file, issued.key_file), dt.datetime.now(dt.UTC)
    told = {days: certificate.warnings(ns(now + days * DAY)) for days in (-1, 1, 6.9, 9.5, 11)}
    assert [len(sentences) for sentences in told.values()] == [1, 0, 0, 1, 1]
    assert "and clients refuse it until then" in told[-1][0]
    assert "the certificate ends at" in told[9.5][0]
    assert "the certificate has expired at" in told[11][0]


@pytest.mark.parametrize("lasts", [47, 90, 365])
def test_two_weeks_before_its_end_a_certificate_is_told_of(authority: Authority, lasts: int) -> None:
    issued = authority.issue(begins=dt.timedelta(), lasts=lasts * DAY)
    certificate, now = Certificate(issued.cert_file, issued.key_file), dt.datetime.now(dt.UTC)
    assert certificate.warnings(ns(now + (lasts - 14.1) * DAY)) == []
    (told,) = certificate.warnings(ns(now + (lasts - 13.9) * DAY))
    assert f"{now + lasts * DAY:%Y-%m-%d}" in told


def test_a_certificate_that_nears_its_end_is_logged_when_it_does_and_when_it_has_ended(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    issued = authority.issue(begins=dt.timedelta(), lasts=90 * DAY)
    certificate, now = Certificate(issued.cert_file, issued.key_file), dt.datetime.now(dt.UTC)
    for days in (1, 70, 77, 80, 91, 92):
        certificate.step(ns(now + days * DAY))
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "the certificate ends at" in caplog.messages[0]
    assert "the certificate has expired at" in caplog.messages[1]
    authority.issue(begins=dt.timedelta(), lasts=365 * DAY)
    certificate.step(ns(now + 93 * DAY))
    assert certificate.warnings(ns(now + 93 * DAY)) == []
    assert certificate.ends_s == pytest.approx((now + 365 * DAY).timestamp(), abs=60)


def test_what_the_start_has_told_is_not_logged_again(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    issued = authority.issue(begins=dt.timedelta(), lasts=90 * DAY)
    certificate, now = Certificate(issued.cert_file, issued.key_file), dt.datetime.now(dt.UTC)
    for days in (80, 81):
        certificate.step(ns(now + days * DAY))
    assert caplog.records == []


def test_a_half_done_renewal_changes_nothing_and_is_told_once(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    issued = authority.issue()
    certificate = Certificate(issued.cert_file, issued.key_file)
    before = certificate.pem()
    other = authority.issue("other")
    issued.cert_file.write_bytes(other.cert_file.read_bytes())
    for _ in range(3):
        certificate.step(0)
    assert certificate.pem() == before
    assert caplog.text.count("the certificate was not renewed") == 1
    issued.key_file.unlink()
    certificate.step(0)
    assert certificate.pem() == before
    assert caplog.text.count("the certificate was not renewed") == 2
    issued.key_file.write_bytes(other.key_file.read_bytes())
    certificate.step(0)
    assert certificate.pem() == (other.key_file.read_bytes(), other.cert_file.read_bytes())


def test_tokens_in_clear_are_warned_of_where_others_can_listen() -> None:
    (said,) = in_clear(load_settings(overrides={"http": "0.0.0.0:4318"}), has_tokens=True)
    assert said.startswith("http: 0.0.0.0:4318: whoever reads the network reads the tokens; set tls_cert_file and")
    assert in_clear(load_settings(), has_tokens=True) == []
    assert in_clear(load_settings(overrides={"http": "0.0.0.0:4318"}), has_tokens=False) == []
    assert in_clear(load_settings(overrides={"http": "0.0.0.0:1", "tls_cert_file": "x"}), has_tokens=True) == []
