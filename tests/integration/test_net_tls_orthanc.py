"""Orthanc and the node speak DICOM over TLS both ways, each showing a certificate."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.errors import TlsFailed
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import ClientTls, PeerAddress
from pacs_ai.net.tls import TlsFiles
from tests import net_peer as net
from tests.integration.orthanc_server import OrthancServer
from tests.pki import Authority

pytestmark = pytest.mark.integration


def test_both_ways(
    tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> None:
    authority = Authority(tmp_path / "pki")
    archive, mine = authority.sign("archive"), authority.sign("mine")
    files = TlsFiles(mine.certificate, mine.key, authority.certificate)
    settings = replace(net.SETTINGS, port=None, tls_port=0, tls=files)
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node", settings) as node:
        site = {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(archive.certificate),
            "DicomTlsPrivateKey": str(archive.key),
            "DicomTlsTrustedCertificates": str(authority.certificate),
            "DicomTlsRemoteCertificateRequired": True,
            "DicomModalities": {
                "AI_NODE": {
                    "AET": "AI_NODE",
                    "Host": "127.0.0.1",
                    "Port": node.server.tls_port,
                    "UseDicomTls": True,
                }
            },
        }
        ports = free_port(), free_port()
        server = OrthancServer(
            tool("Orthanc"), tmp_path / "orthanc", *ports, 0, route=False, site=site
        )
        with server:
            shown = ClientTls(authority.certificate, mine.certificate, mine.key)
            peer = PeerAddress("ORTHANC", "127.0.0.1", server.dicom_port, shown)
            paths = [Path(str(get_testdata_file(f"{name}_small.dcm"))) for name in ("CT", "MR")]
            outcomes = client.store(peer, "AI_NODE", paths)
            assert [one.status for one in outcomes] == [0, 0]
            with pytest.raises(TlsFailed):
                client.echo(replace(peer, tls=ClientTls(authority.certificate)), "AI_NODE", 5)
            known = server.get("/instances")
            assert len(known) == 2
            answer = server.call(
                "POST", "/modalities/AI_NODE/store", json.dumps({"Resources": known}).encode()
            )
            assert answer["FailedInstancesCount"] == 0
        assert len(node.recorder.received) == 2
