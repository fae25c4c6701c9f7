"""Installing the lock works wherever pip does: with pip's index, certificates and proxy, or by pip itself."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from operations import install


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one wheel, which only pip's configuration says where to find."""
    folder = tmp_path / "index/probe"
    folder.mkdir(parents=True)
    wheel = folder / "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("probe.py", "")
        archive.writestr("probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        archive.writestr(
            "probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("probe-1.0.dist-info/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {folder.parent.as_uri()}\n")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "requirements.lock"
    path.write_text(f"probe==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return path


@pytest.fixture
def python(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "environment")], check=True)
    return tmp_path / "environment/bin/python"


def has_probe(python: Path) -> bool:
    return subprocess.run([python, "-c", "import probe"], capture_output=True, check=False).returncode == 0


def test_uv_installs_from_the_index_that_pip_is_configured_with(lock: Path, python: Path) -> None:
    assert install.install_by_uv(python, lock) == ""
    assert has_probe(python)


def test_other_bytes_than_the_lock_s_are_not_installed(lock: Path, python: Path) -> None:
    lock.write_text(f"probe==1.0 --hash=sha256:{'0' * 64}\n")
    assert "Hash mismatch" in install.install_by_uv(python, lock)
    assert not has_probe(python)


def test_pip_installs_what_uv_cannot_and_says_so(
    lock: Path,
    python: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["install", str(lock), "--python", str(python)])
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "nothing").as_uri())
    with pytest.raises(SystemExit) as end:
        install.main()
    assert end.value.code == 0
    assert "pip does, which takes minutes: " in capfd.readouterr().err
    assert has_probe(python)


@pytest.mark.parametrize(
    ("listed", "environ", "expected"),
    [
        ("", {}, {}),
        ("global.index-url='https://a/simple'", {}, {"UV_DEFAULT_INDEX": "https://a/simple"}),
        (
            "global.index-url='https://a/simple'\n:env:.index-url='https://b/simple'\ninstall.index-url='https://c'",
            {},
            {"UV_DEFAULT_INDEX": "https://b/simple"},
        ),
        ("global.index-url='https://a/simple'", {"UV_DEFAULT_INDEX": "https://b/simple"}, {}),
        ("global.extra-index-url='\\nhttps://a\\nfile:///b'", {}, {"UV_INDEX": "https://a file:///b"}),
        ("global.find-links='/a /b'", {}, {"UV_FIND_LINKS": "/a,/b"}),
        (":env:.no-index='1'", {}, {"UV_NO_INDEX": "true"}),
        (":env:.no-index='false'", {}, {}),
        ("user.trusted-host='a'\nglobal.trusted-host='b'", {}, {"UV_INSECURE_HOST": "b"}),
        (
            "global.proxy='http://p:3128'",
            {"HTTPS_PROXY": "http://q"},
            dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), "http://p:3128"),
        ),
        ("global.cert='/a.pem'", {"REQUESTS_CA_BUNDLE": "/b.pem"}, {"SSL_CERT_FILE": "/a.pem"}),
        ("", {"REQUESTS_CA_BUNDLE": "/b.pem", "CURL_CA_BUNDLE": "/c.pem"}, {"SSL_CERT_FILE": "/b.pem"}),
        ("", {"CURL_CA_BUNDLE": "/c.pem", "SSL_CERT_FILE": "/d.pem"}, {"SSL_CERT_FILE": "/c.pem"}),
    ],
)
def test_pip_s_options_become_uv_s_variables(
    listed: str, environ: dict[str, str], expected: dict[str, str]
) -> None:
    found = install.uv_variables(install.pip_options(listed), environ)
    assert found == {"UV_INDEX_STRATEGY": "unsafe-best-match", **expected}
