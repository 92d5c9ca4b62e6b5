"""STOW-RS: what becomes of each part of a request (PS3.18 Section 10.5.3)."""

import email
from pathlib import Path

import pytest

from pacs_ai.destinations import dicomweb
from pacs_ai.destinations.base import DeliveryAnswer, OutgoingFile
from pacs_ai.destinations.dicomweb import DicomwebDestination
from pacs_ai.net.http.address import WebAddress
from tests.web_peer import Answer, Asked, WebPeer, web_peer

ONE, TWO = "1.2.3.1", "1.2.3.2"
CLASS = "1.2.840.10008.5.1.4.1.1.7"


def item(uid: str, **more: int) -> dict[str, object]:
    tags = {"FailureReason": "00081197", "WarningReason": "00081196"}
    return {
        "00081150": {"vr": "UI", "Value": [CLASS]},
        "00081155": {"vr": "UI", "Value": [uid]},
        **{tags[name]: {"vr": "US", "Value": [value]} for name, value in more.items()},
    }


def said(*, failed: object = (), stored: object = (), status: int = 200) -> Answer:
    content = {"00081198": {"vr": "SQ", "Value": failed}, "00081199": {"vr": "SQ", "Value": stored}}
    return Answer.of_json({tag: one for tag, one in content.items() if one["Value"]}, status)


@pytest.fixture
def files(tmp_path: Path) -> list[OutgoingFile]:
    made = []
    for uid in (ONE, TWO):
        path = tmp_path / f"{uid}.dcm"
        path.write_bytes(b"\r\n--content of " + uid.encode())
        made.append(OutgoingFile(path, uid))
    return made


def to(peer: WebPeer, timeout: float = 60) -> DicomwebDestination:
    return DicomwebDestination(WebAddress("pacs", peer.url, timeout=timeout))


def parts(asked: Asked) -> list[bytes]:
    """Read a request with a parser that is not ours."""
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + asked.body)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    return [bytes(one.get_payload(decode=True)) for one in message.get_payload()]  # type: ignore[union-attr, arg-type]


def test_the_parts_are_the_files(files: list[OutgoingFile]) -> None:
    with web_peer(lambda _: said(stored=[item(ONE), item(TWO)])) as peer:
        outcomes = to(peer).deliver(files, lambda _: True)
        assert [one.answer for one in outcomes] == [DeliveryAnswer.STORED] * 2
        (asked,) = peer.asked
        assert (asked.method, asked.path) == ("POST", "/studies")
        assert parts(asked) == [file.path.read_bytes() for file in files]


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        (0xA700, DeliveryAnswer.NOT_NOW),
        (0xA900, DeliveryAnswer.REFUSED),
        (0xC000, DeliveryAnswer.REFUSED),
        (0x0110, DeliveryAnswer.REFUSED),
        (0x0111, DeliveryAnswer.HELD_ALREADY),
        (0x0122, DeliveryAnswer.CLASS_REFUSED),
        (0xC122, DeliveryAnswer.CLASS_REFUSED),
    ],
)
@pytest.mark.parametrize("status", [200, 202, 409])
def test_one_part_fails(
    files: list[OutgoingFile], reason: int, answer: DeliveryAnswer, status: int
) -> None:
    failed = [item(TWO, FailureReason=reason)]
    response = said(failed=failed, stored=[item(ONE, WarningReason=0xB000)], status=status)
    with web_peer(lambda _: response) as peer:
        one, two = to(peer).deliver(files, lambda _: True)
    assert (one.answer, one.note) == (DeliveryAnswer.STORED, "stored with warning 0xB000")
    assert (two.answer, two.status) == (answer, reason)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (Answer(200), DeliveryAnswer.STORED),
        (Answer(204), DeliveryAnswer.STORED),
        (Answer(202), DeliveryAnswer.NOT_NOW),
        (Answer(409), DeliveryAnswer.REFUSED),
        (Answer(413), DeliveryAnswer.REFUSED),
        (Answer(415), DeliveryAnswer.CLASS_REFUSED),
        (Answer(401), DeliveryAnswer.NOT_NOW),
        (Answer(503, b"<html>"), DeliveryAnswer.NOT_NOW),
        (None, DeliveryAnswer.NOT_NOW),
    ],
)
def test_an_answer_without_parts(
    files: list[OutgoingFile], response: Answer | None, answer: DeliveryAnswer
) -> None:
    with web_peer(lambda _: response) as peer:
        outcomes = to(peer).deliver(files, lambda _: True)
    assert {one.answer for one in outcomes} == {answer}
    lost = response is None or response.status in (202, 503)
    assert {one.unanswered for one in outcomes} == {lost}


def test_what_may_not_leave_stays_and_large_files_go_alone(
    files: list[OutgoingFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "_MOST_BYTES", 10)
    with web_peer(lambda _: Answer(200)) as peer:
        outcomes = to(peer).deliver(files, lambda file: file.sop_instance_uid == TWO)
        assert [one.answer for one in outcomes] == [DeliveryAnswer.WITHHELD, DeliveryAnswer.STORED]
        assert to(peer).deliver(files, lambda _: True)[0].answer is DeliveryAnswer.STORED
        assert [len(parts(asked)) for asked in peer.asked] == [1, 1, 1]


def test_a_file_that_is_gone_stops_no_other(files: list[OutgoingFile]) -> None:
    files[0].path.unlink()
    with web_peer(lambda _: Answer(200)) as peer:
        outcomes = to(peer).deliver(files, lambda _: True)
    assert [one.answer for one in outcomes] == [DeliveryAnswer.NOT_NOW, DeliveryAnswer.STORED]


def test_one_file_that_makes_the_peer_refuse_all_goes_alone(files: list[OutgoingFile]) -> None:
    def respond(asked: Asked) -> Answer:
        return Answer(400 if any(ONE.encode() in part for part in parts(asked)) else 200)

    with web_peer(respond) as peer:
        outcomes = to(peer).deliver(files, lambda _: True)
        assert [one.answer for one in outcomes] == [DeliveryAnswer.REFUSED, DeliveryAnswer.STORED]
        assert [len(parts(asked)) for asked in peer.asked] == [2, 1, 1]
