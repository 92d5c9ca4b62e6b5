"""Deletes an instance by the REST API of Orthanc."""

from http import HTTPStatus

from pacs_ai.errors import PeerError
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.ask import refusal
from pacs_ai.net.http.session import web_session


def delete_instance(address: WebAddress, sop_instance_uid: str) -> None:
    """Delete every copy of an instance; none is no error.

    Parameters
    ----------
    address
        Its ``url`` is the root of the REST API.

    Raises
    ------
    PeerError
        If Orthanc is out of reach, refuses, or is none.
    """
    root = address.url.rstrip("/")
    with web_session(address) as session:
        found = session.post(f"{root}/tools/lookup", data=sop_instance_uid.encode())
        _check(address, found.status_code)
        try:
            paths = [one["Path"] for one in found.json() if one["Type"] == "Instance"]
        except (ValueError, KeyError, TypeError) as error:
            raise PeerError(f"{address.name} gives an answer that is not of Orthanc") from error
        for path in paths:
            status = session.delete(f"{root}{path}").status_code
            if status != HTTPStatus.NOT_FOUND:
                _check(address, status)


def _check(address: WebAddress, status: int) -> None:
    if status >= HTTPStatus.BAD_REQUEST:
        raise refusal(address.name, status)
