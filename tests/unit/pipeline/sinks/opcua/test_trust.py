import shutil
from pathlib import Path

import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua; next: pip install 'datumd[opcua]'")

from cryptography.hazmat.primitives.serialization import Encoding

from pipeline.errors import ConfigError
from pipeline.sinks.opcua.trust import TrustFolder


def test_a_client_is_trusted_once_its_certificate_lies_there_and_no_longer_than_it_does(tmp_path: Path) -> None:
    ours = TrustFolder(tmp_path / "ours", "urn:here:datumd", "127.0.0.1")
    client = TrustFolder(tmp_path / "client", "urn:there:plc", "127.0.0.1").certificate.public_bytes(Encoding.DER)
    assert not ours.trusts(client)
    (rejected,) = (tmp_path / "ours" / "rejected").iterdir()
    shutil.move(rejected, tmp_path / "ours" / "trusted")
    assert ours.trusts(client)
    (tmp_path / "ours" / "trusted" / rejected.name).unlink()
    assert not ours.trusts(client)
    assert not ours.trusts(b"no certificate")
    again = TrustFolder(tmp_path / "ours", "urn:elsewhere", "127.0.0.1")
    assert again.certificate == ours.certificate
    assert again.application_uri == "urn:here:datumd"
    key = tmp_path / "ours" / "own.key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        TrustFolder(tmp_path / "ours", "urn:here:datumd", "127.0.0.1")
    key.chmod(0o600)
    shutil.copy(tmp_path / "client" / "own.der", tmp_path / "ours" / "own.der")
    with pytest.raises(ConfigError, match=r"own\.der"):
        TrustFolder(tmp_path / "ours", "urn:here:datumd", "127.0.0.1")
