"""Programs are taken from the releases of their projects where those can be reached, and verified."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from tools.kubernetes import binaries, releases
from tools.kubernetes.binaries import NotAvailable, locate
from tools.kubernetes.modules import KUBERNETES, MODULE_OF, OLDEST_KUBERNETES
from tools.processes import free_ports

PROGRAM = b"#!/bin/sh\necho a program\n"


class Host:
    """Serves `files` by path, and remembers what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                content = host.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            @override
            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def publish(self, release: releases.Release, content: bytes, checksum: str = "") -> None:
        self.files[release.url.removeprefix(self.url)] = content
        known = hashlib.new(release.algorithm, content).hexdigest()
        name = release.url.rpartition("/")[2]
        other = f"{'0' * 64}  other.tar.gz\n"
        self.files[release.checksum_url.removeprefix(self.url)] = f"{other}{checksum or known}  {name}\n".encode()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """In place of all projects' hosts; nothing is cached, and nothing can be built."""
    running = Host()
    for base in ("BINARIES", "ETCD", "ENVTEST"):
        monkeypatch.setattr(releases, base, running.url)
    monkeypatch.setattr(releases, "_silent", set())
    monkeypatch.setattr(binaries, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(binaries, "_build", _refuse)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    yield running
    running.close()


def _refuse(*_: object) -> Path:
    raise NotAvailable("the build failed")


def archive(member: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(PROGRAM)
        tar.addfile(entry, io.BytesIO(PROGRAM))
    return target.getvalue()


@pytest.mark.parametrize("name", KUBERNETES.programs)
def test_a_program_of_kubernetes_is_taken_from_its_release(
    host: Host, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    release = next(releases.releases(name))
    host.publish(release, PROGRAM)
    path = locate([name])[name]
    assert path.read_bytes() == PROGRAM
    assert path.stat().st_mode & 0o111
    assert capsys.readouterr().err == f"Took {name} (1 of 1) from {release.url}\n"


def test_the_oldest_api_server_is_taken_from_the_release_of_its_own_version(host: Host) -> None:
    (name,) = OLDEST_KUBERNETES.programs
    release = next(releases.releases(name))
    assert f"/{OLDEST_KUBERNETES.version}/" in release.url
    assert release.url.endswith("/kube-apiserver")


def test_etcd_is_taken_out_of_its_archive(host: Host) -> None:
    release = next(releases.releases("etcd"))
    host.publish(release, archive(release.member))
    assert locate(["etcd"])["etcd"].read_bytes() == PROGRAM


def test_what_one_release_lacks_is_taken_from_the_next(host: Host) -> None:
    *_, envtest = releases.releases("kubectl")
    host.publish(envtest, archive(envtest.member))
    assert locate(["kubectl"])["kubectl"].read_bytes() == PROGRAM


def test_what_is_not_what_was_published_is_never_used(host: Host) -> None:
    release = next(releases.releases("kubectl"))
    host.publish(release, PROGRAM, checksum="0" * 64)
    with pytest.raises(NotAvailable, match="its checksum is wrong"):
        locate(["kubectl"])
    assert not any((binaries.cache_folder("kubectl")).iterdir())


def test_what_cannot_be_had_is_built(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_build", lambda name, _: Path(name))
    assert locate(["kubectl"]) == {"kubectl": Path("kubectl")}
    assert host.asked


def test_a_host_that_does_not_answer_is_asked_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setattr(releases, "BINARIES", nowhere)
    for program in ("kube-apiserver", "kubectl"):
        with pytest.raises(releases.NotTaken, match="refused" if program == "kube-apiserver" else "did not answer"):
            releases.take(program, binaries.cache_folder(program))


def test_a_program_that_is_not_released_is_built_at_once(host: Host) -> None:
    with pytest.raises(NotAvailable, match="not released as a program"):
        locate(["helm"])
    assert host.asked == []
    assert MODULE_OF["helm"] is not KUBERNETES
