"""The mode `proxy` with a real API server, and under TLS with certificates of clients."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from coder_enterprise.page import live
from coder_enterprise.page.access import gate
from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.proxies import parse_network
from coder_enterprise.process.certificates import CertificateFiles, Clients, ServerCertificate
from tests.support.page import Served, Shown
from tests.support.people import HTML, SAME, People
from tests.support.waiting import TIMEOUT

LOOPBACK = (parse_network("127.0.0.1"),)
ELSEWHERE = (parse_network("10.0.0.0/8"),)
GROUP = "platform-engineers"


@pytest.fixture
def shown(people: People) -> Shown:
    found = Shown()
    found.put("CoderGroup", "platform", people.own.name)
    found.put("CoderGroup", "group-of-others", people.foreign.name)
    return found


def bind_group(people: People) -> None:
    """The group may what `alice` may."""
    people.bind_group("alice", GROUP)


async def test_a_person_sees_what_their_groups_may_list(shown: Shown, people: People) -> None:
    bind_group(people)
    async with (
        Served(shown, await people.cluster(), mode=Mode.PROXY, proxies=LOOPBACK) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=HTML | {"Host": "page.example"}) as http,
    ):
        said = {"X-Forwarded-User": "erin", "X-Forwarded-Groups": f"others,{GROUP}"}
        text = (await http.get("/objects", headers=said)).text
        assert "platform" in text
        assert "group-of-others" not in text
        other = await http.get(f"/objects/codergroups/{people.own.name}/platform", headers={"X-Forwarded-User": "fay"})
        assert other.status_code == 404
        assert (await http.get("/objects")).status_code == 401
        assert (await http.get("/login")).status_code == 401


async def test_from_elsewhere_nobody_is_believed(shown: Shown, people: People) -> None:
    async with (
        Served(shown, await people.cluster(), mode=Mode.PROXY, proxies=ELSEWHERE) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=HTML) as http,
    ):
        for said in ({"X-Forwarded-User": "erin"}, {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-User": "erin"}, {}):
            answer = await http.get("/objects", headers=said)
            assert answer.status_code == 403
            assert "platform" not in answer.text


async def test_to_act_takes_a_token_of_the_same_person_that_the_proxy_passes_on(shown: Shown, people: People) -> None:
    page = f"/objects/codergroups/{people.own.name}/platform"
    bind_group(people)
    async with (
        Served(shown, await people.cluster(), mode=Mode.PROXY, proxies=LOOPBACK, acts=True) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=HTML | SAME) as http,
    ):
        erin = {"X-Forwarded-User": "erin", "X-Forwarded-Groups": GROUP}
        token = {"Authorization": f"Bearer {people.token('alice')}"}
        for said in (erin, erin | token):
            text = (await http.get(page, headers=said)).text
            assert "platform" in text
            assert "formaction" not in text
            csrf = http_csrf(text)
            assert (await http.post(f"{page}/reconcile", headers=said, data={"csrf": csrf})).status_code == 403


async def test_a_stream_ends_so_that_the_proxy_is_asked_anew_who_it_is(
    shown: Shown, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BREATH", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT", 0.1)
    async with (
        Served(shown, await people.cluster(), mode=Mode.PROXY, proxies=LOOPBACK) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=TIMEOUT) as http,
        http.stream("GET", "/live", headers={"X-Forwarded-User": "erin"}) as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)
        monkeypatch.setattr(gate, "PROXIED", 0.0)
        assert [line async for line in lines]


def http_csrf(text: str) -> str:
    return text.partition('name="csrf" value="')[2].partition('"')[0]


class Authority:
    """Issues certificates, to servers and to clients."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._subject, self._subject, self._key.public_key())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = builder.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> CertificateFiles:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _builder(subject, self._subject, key.public_key()).sign(self._key, hashes.SHA256())
        files = CertificateFiles(*(self._folder / f"{self._name}-{name}.{end}" for end in ("crt", "key")))
        files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))


def tls(files: CertificateFiles | None = None) -> ssl.SSLContext:
    """Of a client that shows that certificate, and believes every server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if files:
        context.load_cert_chain(*files)
    return context


async def test_a_proxy_is_believed_by_the_certificate_that_it_shows(
    shown: Shown, people: People, tmp_path: Path
) -> None:
    bind_group(people)
    proxies, others = Authority(tmp_path, "proxies"), Authority(tmp_path, "others")
    certificate = ServerCertificate(proxies.issue("page"), "cert", "key", Clients("ca", proxies.file))
    said = HTML | {"X-Forwarded-User": "erin", "X-Forwarded-Groups": GROUP}

    async def status(url: str, files: CertificateFiles | None) -> int:
        async with httpx2.AsyncClient(base_url=url, verify=tls(files), trust_env=False, headers=said) as http:
            try:
                return (await http.get("/objects")).status_code
            except httpx2.TransportError:
                return 0

    settings = {"mode": Mode.PROXY, "proxy_certificates": True, "certificate": certificate}
    async with Served(shown, await people.cluster(), **settings) as url:
        assert await status(url, proxies.issue("proxy")) == 200
        assert await status(url, None) == 403
        assert await status(url, others.issue("proxy")) == 0
