"""The error tree: what happened, to which study (never whose), and what to do.

::

    PacsAIError
    ├─ ConfigError
    ├─ DataError      ├─ NotDicom  ├─ UnsupportedPixels  ├─ NoFittingSeries
    │                 ├─ ResultWithheld  ├─ InvalidResult  └─ LossNotFinite
    ├─ StorageError   ├─ NoSpace  ├─ DuplicateConflict  ├─ DatabaseBusy  ├─ Corrupted
    │                 └─ LedgerAltered
    ├─ PeerError      ├─ PeerUnreachable  ├─ FolderUnavailable  ├─ TlsFailed  ├─ NoPasscode
    │                 ├─ AssociationRejected  ├─ AssociationAborted  ├─ ContextRejected
    │                 └─ StoreRefused
    ├─ ModelError     ├─ BundleInvalid  └─ PrecisionRefused
    │                 ├─ BundleChanged  ├─ ModelDisabled  ├─ RuntimeFailed
    │                 ├─ DeviceUnavailable  ├─ RuntimeDiffers  ├─ ExportMismatch  └─ NotAccepted
    └─ StateError     ├─ IllegalTransition  └─ LeaseLost

Every class carries a stable ``code`` (docs/operations.md), the exit code of a command that ends
with it, and whether trying again may help. Messages hold no patient data.
"""

from typing import ClassVar


class PacsAIError(Exception):
    """Anything pacs-ai raises on purpose; see the docstring of the class for the remedy.

    Parameters
    ----------
    message
        One sentence: what happened and to what. No patient data.
    """

    code: ClassVar[str] = "PACS-AI"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    outage: bool = False
    """Whether all such work has to wait, not this alone: then time decides for how long."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(PacsAIError):
    """The configuration cannot be used. Correct the key the message names, then start again."""

    code = "CONFIG"
    exit_code = 2


class DataError(PacsAIError):
    """An instance or study cannot be analysed. It stays stored; look at the reason given."""

    code = "DATA"
    exit_code = 4


class LossNotFinite(DataError):
    """The loss of a training became infinite or not a number. Lower the learning rate it names."""

    code = "LOSS_NOT_FINITE"


class NotDicom(DataError):
    """The bytes are not a whole DICOM data set. Send the instance again from its source."""

    code = "NOT_DICOM"


class UnsupportedPixels(DataError):
    """The pixels cannot be decoded or shown as the header asks. Check encoding, rescale, tables."""

    code = "UNSUPPORTED_PIXELS"


class NoFittingSeries(DataError):
    """No image of the study is one the model was made for. Check the rule that chose the model."""

    code = "NO_FITTING_SERIES"


class ResultWithheld(DataError):
    """The images are unlike those of training, and the bundle forbids a result. Look at them."""

    code = "RESULT_WITHHELD"


class InvalidResult(DataError):
    """A result broke a rule of the standard and was not sent. Report it with the job's id."""

    code = "INVALID_RESULT"


class StorageError(PacsAIError):
    """The spool or the database failed. Check disk, mount and permissions.

    ``message`` is never the data's fault, and no reason to reject a study; ``outage`` says whether
    all of the storage is out of reach, not one file.
    """

    code = "STORAGE"
    retryable = True

    def __init__(self, message: str, *, outage: bool | None = None) -> None:
        super().__init__(message)
        if outage is not None:
            self.outage = outage


class NoSpace(StorageError):
    """The disk is below ``storage.min_free_gb`` or full. Free space; senders will try again."""

    code = "NO_SPACE"
    outage = True


class DuplicateConflict(StorageError):
    """A SOP Instance UID came again with other content. The first stays; ask the sender why."""

    code = "DUPLICATE_CONFLICT"
    retryable = False


class DatabaseBusy(StorageError):
    """The database did not answer in time. It is tried again; look for a long-running client."""

    code = "DATABASE_BUSY"
    outage = True


class Corrupted(StorageError):
    """A stored file is not what was stored: its checksum differs. Restore it, then try again."""

    code = "CORRUPTED"
    retryable = False


class LedgerAltered(Corrupted):
    """The ledger is not what was written. Compare with a backup or syslog; ask who has access."""

    code = "LEDGER_ALTERED"


class PeerError(PacsAIError):
    """A DICOM peer did not do what was asked. Check its log at the same time of day."""

    code = "PEER"
    exit_code = 3


class PeerUnreachable(PeerError):
    """No connection, or no answer in time. Check host, port, firewall, and that the peer runs."""

    code = "PEER_UNREACHABLE"
    retryable = True


class FolderUnavailable(PeerError):
    """A folder for results is not there or cannot be written. Check mount, rights and space."""

    code = "FOLDER_UNAVAILABLE"
    retryable = True


class TlsFailed(PeerError):
    """The peer is there, but TLS is not agreed. Look at both certificates and who signed them."""

    code = "TLS_FAILED"
    retryable = True


class NoPasscode(PeerError):
    """The passcode for a peer cannot be read. Look at the file that ``passcode_file`` names."""

    code = "NO_PASSCODE"
    retryable = True


class AssociationRejected(PeerError):
    """The peer refused the association. Register this node's AE title, host and port there."""

    code = "ASSOCIATION_REJECTED"
    retryable = True


class AssociationAborted(PeerError):
    """The peer ended the association before it had answered. It is tried again; see its log."""

    code = "ASSOCIATION_ABORTED"
    retryable = True


class ContextRejected(PeerError):
    """The peer does not take this SOP class. Allow it there, or send other ``results``."""

    code = "CONTEXT_REJECTED"
    exit_code = 4  # the peer is there; it objects to the data


class StoreRefused(PeerError):
    """The peer answered a C-STORE with a failure.

    The status (PS3.4 B.2.3) says why: 0xA7xx is a lack of resources and is tried again,
    0xA9xx and 0xCxxx mean that the peer objects to the object itself.

    ``message`` says what was refused and by which peer; ``status`` is that of the response.
    """

    code = "STORE_REFUSED"
    exit_code = 4  # the peer is there; it objects to the data

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ModelError(PacsAIError):
    """A model cannot be used. Run ``pacs-ai models verify`` and install a whole bundle."""

    code = "MODEL"


class BundleInvalid(ModelError):
    """The bundle is incomplete, altered, or not of a form that is served. Export it again."""

    code = "BUNDLE_INVALID"
    exit_code = 2


class PrecisionRefused(BundleInvalid):
    """A network of eight bits without a report that it is close to float32. Quantise it again."""

    code = "PRECISION_REFUSED"


class BundleChanged(ModelError):
    """A bundle's files were replaced while the node runs. Start the node again to use them."""

    code = "BUNDLE_CHANGED"
    retryable = True
    outage = True


class ModelDisabled(ModelError):
    """A person has disabled the model. Its jobs wait until ``models activate``, or cancel them."""

    code = "MODEL_DISABLED"


class RuntimeFailed(ModelError):
    """The inference runtime failed on an input it accepted. The job is tried again."""

    code = "RUNTIME_FAILED"
    retryable = True


class DeviceUnavailable(ModelError):
    """A runtime or its device is not there. ONNX Runtime on the processor takes its place."""

    code = "DEVICE_UNAVAILABLE"


class RuntimeDiffers(ModelError):
    """A runtime computes other values than ONNX Runtime. ONNX Runtime takes its place."""

    code = "RUNTIME_DIFFERS"


class ExportMismatch(ModelError):
    """The exported model does not compute what the trained one does. Nothing was exported."""

    code = "EXPORT_MISMATCH"


class NotAccepted(ModelError):
    """A model does not keep the limits of its acceptance test. The page of the test says which."""

    code = "NOT_ACCEPTED"


class StateError(PacsAIError):
    """A row was not in the state an action needs. Look at it with the ``show`` command first."""

    code = "STATE"
    missing: bool = False  # whether there is no such row


class IllegalTransition(StateError):
    """The state machine does not allow this change. The message says what it allows."""

    code = "ILLEGAL_TRANSITION"


class LeaseLost(StateError):
    """Another worker took the job over meanwhile. This worker's outcome was dropped; no action."""

    code = "LEASE_LOST"
