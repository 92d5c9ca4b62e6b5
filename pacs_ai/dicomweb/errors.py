"""Why a request of DICOMweb is refused; part of the tree of `pacs_ai.errors`."""

from pacs_ai.errors import PacsAIError


class RequestRefused(PacsAIError):
    """A DICOMweb request that cannot be answered. The text and the HTTP status say why.

    Parameters
    ----------
    message
        One sentence; no patient data.
    status
        HTTP status (PS3.18 Section 8.5).
    """

    code = "DICOMWEB_REQUEST"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
