"""A source of studies that answers queries: pynetdicom's server, so not ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from pacs_ai.net.scu.client import PeerAddress

Answers = Iterator[tuple[int, Dataset | None]]


@contextmanager
def answering(answer: Callable[[Dataset], Answers]) -> Iterator[PeerAddress]:
    """Run a server that answers queries.

    Parameters
    ----------
    answer
        Gives status and data set of each response to an identifier.
    """
    ae = AE("SOURCE")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    handlers = [(evt.EVT_C_FIND, lambda event: answer(event.identifier))]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield PeerAddress("SOURCE", "127.0.0.1", server.socket.getsockname()[1])
    finally:
        server.shutdown()


def match(**values: object) -> Dataset:
    """Make the data set of a match."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def series_of(counts: dict[str, int | None], modality: str = "CT") -> Callable[[Dataset], Answers]:
    """Answer with series and their numbers of images, which may change between questions.

    None: the number is not told, and each image has to be found.
    """

    def answer(identifier: Dataset) -> Answers:
        if identifier.QueryRetrieveLevel == "IMAGE":
            for number in range(3):
                yield 0xFF00, match(SOPInstanceUID=f"1.2.3.{number}")
            return
        for uid, count in counts.items():
            number = {} if count is None else {"NumberOfSeriesRelatedInstances": count}
            yield 0xFF00, match(SeriesInstanceUID=uid, Modality=modality, **number)

    return answer
