"""Store instances (STOW-RS, PS3.18 Section 10.5): the way of a C-STORE, with another envelope.

`pacs_ai.flow.incoming_parts` writes what arrives to the spool.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.flow.incoming_instances import Receiving
from pacs_ai.flow.incoming_parts import DICOM, IncomingParts, PartOutcome
from pacs_ai.net.http.multipart import MultipartBroken, MultipartReader, media_type
from pacs_ai.net.scp.handlers import AssociationInfo, StorageHandlers
from pacs_ai.net.status import Status

_WARNING = 0xB000
_OK = 200
_ACCEPTED = 202
_CONFLICT = 409
_UNSUPPORTED = 415
_UNAVAILABLE = 503
_OUT_OF_RESOURCES = range(0xA700, 0xA800)


class StoreRequest:
    """One request, from the first byte to the answer.

    Parameters
    ----------
    handlers
        Store what arrives; they count the request as an association.
    association
        Who sends.
    content_type
        Header field of the request.
    study
        Study Instance UID to which all instances have to belong; "" for any.
    limit
        Most bytes of a data set.

    Raises
    ------
    RequestRefused
        If the body has another form than instances of DICOM.
    """

    def __init__(
        self,
        handlers: StorageHandlers,
        association: AssociationInfo,
        content_type: str,
        study: str,
        limit: int,
    ) -> None:
        kind, parameters = media_type(content_type)
        wanted = parameters.get("type", DICOM).lower()
        if kind not in ("multipart/related", DICOM) or wanted != DICOM:
            raise RequestRefused(
                f"instances are stored as multipart/related; type={DICOM}", _UNSUPPORTED
            )
        self._handlers, self._association = handlers, association
        self._parts = IncomingParts(Receiving(handlers, association, study, limit))
        self._reader = None
        if kind == DICOM:
            self._parts.begin(DICOM)
        else:
            try:
                self._reader = MultipartReader(parameters.get("boundary", ""), self._parts)
            except MultipartBroken as error:
                raise RequestRefused(error.message) from None
        handlers.opened(association)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises
        ------
        RequestRefused
            If they are no parts; `abandon` has to follow.
        """
        if self._reader is None:
            self._parts.write(data)
            return
        try:
            self._reader.feed(data)
        except MultipartBroken as error:
            raise RequestRefused(error.message) from None

    def finish(self, url_of: Callable[[str], str]) -> tuple[int, dict[str, Any]]:
        """Take the end of the body, and answer.

        Parameters
        ----------
        url_of
            Gives the URL of an instance from its SOP Instance UID; "" if it is not known.

        Returns
        -------
        tuple
            HTTP status, and the response in the DICOM JSON model (PS3.18 Section I.2.2).

        Raises
        ------
        RequestRefused
            If the body is cut off; what has come whole is stored.
        """
        if self._reader is None:
            self._parts.end()
        else:
            try:
                self._reader.finish()
            except MultipartBroken as error:
                raise RequestRefused(error.message) from None
        outcomes = self._parts.outcomes
        if not outcomes:
            raise RequestRefused("the request has no instance")
        self._handlers.closed(self._association, "released")
        return _http_status(outcomes), _response(outcomes, url_of)

    def abandon(self) -> None:
        """Drop what has not come whole: the sender is gone, or sends no parts."""
        self._parts.abandon()
        self._handlers.closed(self._association, "aborted")


def _http_status(outcomes: Sequence[PartOutcome]) -> int:
    """Return the status of PS3.18 Table 10.5.3-1."""
    failed = [one.status for one in outcomes if one.status not in (Status.SUCCESS, _WARNING)]
    if not failed:
        return _ACCEPTED if any(one.status for one in outcomes) else _OK
    if len(failed) < len(outcomes):
        return _ACCEPTED
    return _UNAVAILABLE if all(one in _OUT_OF_RESOURCES for one in failed) else _CONFLICT


def _response(outcomes: Sequence[PartOutcome], url_of: Callable[[str], str]) -> dict[str, Any]:
    """Make the response: what is referenced is stored, and what has failed says why."""
    stored, failed, unnamed = [], [], []
    for one in outcomes:
        item = {
            "00081150": _element("UI", one.sop_class_uid),
            "00081155": _element("UI", one.sop_instance_uid),
        }
        if one.status in (Status.SUCCESS, _WARNING):
            url = url_of(one.sop_instance_uid)
            item |= {"00081190": _element("UR", url)} if url else {}
            item |= {"00081196": _element("US", one.status)} if one.status else {}
            stored.append(item)
        elif one.sop_instance_uid:
            failed.append(item | {"00081197": _element("US", one.status)})
        else:
            unnamed.append({"00081197": _element("US", one.status)})
    sequences = {"00081198": failed, "00081199": stored, "0008119A": unnamed}
    return {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
