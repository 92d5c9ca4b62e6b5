"""The client of DICOMweb (PS3.18): store, search, retrieve, and delete where the peer offers it.

This is the only module that knows ``dicomweb-client``.
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import requests
from dicomweb_client.web import DICOMwebClient, _Transaction
from pydicom.dataset import Dataset

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import PacsAIError, PeerError, PeerUnreachable
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.ask import refusal
from pacs_ai.net.http.multipart import MultipartReader, PartSink, media_type
from pacs_ai.net.http.session import WebSession, in_our_errors, web_session
from pacs_ai.net.refusals import PeerRefusal

# Their records quote UIDs and addresses.
for _library in ("dicomweb_client", "urllib3"):
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)

T = TypeVar("T")

_ANY_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_DICOM = "application/dicom"
_JSON = "application/dicom+json"
_PAGE = 1000
"""Matches that are asked for at once."""
MOST_MATCHES = 100_000
"""Matches of one search; a peer that sends more is cut off."""
_FAILURE = 0x0110
"""Processing failure: where the peer gives no reason (PS3.7 Annex C.5.6)."""


@dataclass(frozen=True, slots=True)
class StoreResponse:
    """The answer to a Store transaction (PS3.18 Section 10.5.3).

    Parameters
    ----------
    status
        HTTP status: 200, 202 where there are remarks or failures, 409 where all have failed.
    stored
        SOP Instance UIDs that the answer names as stored; many peers name none.
    failed
        SOP Instance UID: Failure Reason (0008,1197) of each part that was not stored.
    warnings
        SOP Instance UID: Warning Reason (0008,1196) of parts that were stored with a remark.
    """

    status: int
    stored: frozenset[str] = frozenset()
    failed: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


class DicomwebPeerClient:
    """A peer's DICOMweb services; a context manager.

    All methods raise a `PeerError`: `PeerUnreachable`, `TlsFailed` and `NoPasscode` before there is
    an answer; `LoginRefused`, `PeerBusy` or `PeerRefusal` by the answer.

    Parameters
    ----------
    address
        Its ``url`` is the root of the services: ``/studies`` follows it.
    """

    def __init__(self, address: WebAddress) -> None:
        self._address = address
        self._sessions = web_session(address)

    def __enter__(self) -> Self:
        session = self._sessions.__enter__()
        session.headers["Accept"] = _JSON
        self._client = _Client(self._address, session)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sessions.__exit__(kind, error, trace)

    def store(self, files: Sequence[bytes]) -> StoreResponse:
        """Store DICOM files (STOW-RS), in one request with a part for each.

        Parameters
        ----------
        files
            Contents of files (PS3.10); they are sent as they are.
        """
        try:
            with in_our_errors(self._address):
                response = self._client.store_files(files)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != HTTPStatus.CONFLICT:
                raise self._refused(error) from error
            response = error.response
        return _read_store(response)

    def search(
        self,
        level: str,
        filters: Mapping[str, str],
        *,
        study: str | None = None,
        series: str | None = None,
        fields: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Dataset]:
        """Search (QIDO-RS, PS3.18 Section 10.6).

        Parameters
        ----------
        level
            ``studies``, ``series`` or ``instances``.
        filters
            Keyword or tag: value to match.
        study, series
            Search inside of these only.
        fields
            Further attributes that each match shall have.
        limit
            Most matches to return; None asks for all, page by page.
        """
        return self._call(
            self._client.search_at, level, study, series, dict(filters), list(fields), limit
        )

    def retrieve(
        self, sink: PartSink, study: str, series: str | None = None, instance: str | None = None
    ) -> int:
        """Retrieve instances (WADO-RS, PS3.18 Section 10.4): each is a part of the answer.

        They come in the transfer syntax in which the peer has them. No whole instance is kept in
        memory.

        Parameters
        ----------
        sink
            Takes the parts while they arrive.

        Returns
        -------
        int
            HTTP status: 206 where the peer has left some out.

        Raises
        ------
        MultipartBroken
            If the answer is cut off, or is not what was asked for.
        """
        return self._call(self._client.retrieve_into, sink, study, series, instance)

    def delete(self, study: str, series: str | None = None, instance: str | None = None) -> None:
        """Delete a study, a series or an instance; the standard leaves this to the peer."""
        self._call(self._client.delete_at, study, series, instance)

    def probe(self) -> None:
        """Ask whether the services are there and let this node in.

        A peer that offers storing alone refuses to search, and is there all the same.
        """
        try:
            self.search("studies", {}, limit=1)
        except PeerRefusal as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise

    def _call(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            with in_our_errors(self._address):
                return function(*arguments)
        except requests.HTTPError as error:
            raise self._refused(error) from error
        except PacsAIError:
            raise
        except FOREIGN_ERRORS as error:
            name = self._address.name
            raise PeerError(f"{name} gives an answer that is not DICOMweb") from error

    def _refused(self, error: requests.HTTPError) -> PeerError:
        status = 0 if error.response is None else error.response.status_code
        return refusal(self._address.name, status)


class _Client(DICOMwebClient):
    """The library's client, without its retries, and with files instead of data sets."""

    def __init__(self, address: WebAddress, session: WebSession) -> None:
        self.pieces = session.pieces
        super().__init__(address.url.rstrip("/"), session, timeout=address.timeout)
        self.set_http_retry_params(retry=False)  # the outbox tries again
        self.host = urlsplit(address.url).netloc.rpartition("@")[2]  # with the port

    def store_files(self, files: Sequence[bytes]) -> requests.Response:
        self.set_chunk_size(sys.maxsize)  # one length for all: not every server takes chunks
        boundary = "pacs-ai-0f3cf5c070e041efbaefc6f9f65ec3e1"
        content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
        content = self._encode_multipart_message(files, content_type)
        url = self._get_studies_url(_Transaction.STORE, None)
        return self._http_post(url, content, headers={"Content-Type": content_type})

    def search_at(
        self,
        level: str,
        study: str | None,
        series: str | None,
        filters: dict[str, str],
        fields: list[str],
        limit: int | None,
    ) -> list[Dataset]:
        found: list[dict[str, Any]] = []
        common = {"search_filters": filters, "fields": fields or None, "limit": limit or _PAGE}
        while True:
            page = self._page(level, study, series, {**common, "offset": len(found) or None})
            if not page or page == found[-len(page) :]:  # a peer may take no notice of "offset"
                break
            found += page
            if len(found) > MOST_MATCHES:
                raise PeerUnreachable(f"{self.host} does not come to the end of its matches")
            if limit is not None:
                break
        return [Dataset.from_json(one) for one in found[:limit]]

    def _page(
        self, level: str, study: str | None, series: str | None, common: dict[str, Any]
    ) -> list[dict[str, Any]]:
        if level == "studies":
            return list(self.search_for_studies(**common))
        if level == "series":
            return list(self.search_for_series(study, **common))
        return list(self.search_for_instances(study, series, **common))

    def retrieve_into(
        self, sink: PartSink, study: str, series: str | None, instance: str | None
    ) -> int:
        url = self._url(_Transaction.RETRIEVE, study, series, instance)
        response = self._http_get(url, headers={"Accept": _ANY_SYNTAX}, stream=True)
        kind, parameters = media_type(response.headers.get("Content-Type", ""))
        with closing(response):
            if kind == _DICOM:
                sink.begin(kind)
                for piece in self.pieces(response):
                    sink.write(piece)
                sink.end()
            elif response.status_code != HTTPStatus.NO_CONTENT:
                reader = MultipartReader(parameters.get("boundary", ""), sink)
                for piece in self.pieces(response):
                    reader.feed(piece)
                reader.finish()
        return int(response.status_code)

    def delete_at(self, study: str, series: str | None, instance: str | None) -> None:
        self._http_delete(self._url(_Transaction.DELETE, study, series, instance))

    def _url(self, kind: _Transaction, study: str, series: str | None, instance: str | None) -> str:
        if instance is not None:
            return str(self._get_instances_url(kind, study, series, instance))
        if series is not None:
            return str(self._get_series_url(kind, study, series))
        return str(self._get_studies_url(kind, study))


def _read_store(response: requests.Response) -> StoreResponse:
    """Read which parts were stored; an answer that does not say it tells by its status alone."""
    status = response.status_code
    try:
        said = Dataset.from_json(response.json()) if response.content else Dataset()
    except FOREIGN_ERRORS:
        said = Dataset()
    warnings, stored = {}, set()
    for item in said.get("ReferencedSOPSequence") or ():
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        stored.add(uid)
        if item.get("WarningReason"):
            warnings[uid] = int(item.WarningReason)
    failed = {
        str(item.get("ReferencedSOPInstanceUID", "")): int(item.get("FailureReason", _FAILURE))
        for item in said.get("FailedSOPSequence") or ()
    }
    return StoreResponse(status, frozenset(stored), failed, warnings)
