"""Studies are fetched by the REST API and on the page, by those who may."""

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from pacs_ai.config import DicomwebPeer
from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import pulls
from pacs_ai.web.api.pulls import SearchAt
from tests.unit.web.test_page import logged_in
from tests.web_peer import Answer, web_peer

FOUND = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00080020": {"vr": "DA", "Value": ["20240203"]},
    "00080061": {"vr": "CS", "Value": ["CT"]},
    "00201208": {"vr": "IS", "Value": [7]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "NAME^OF"}]},
}
WHERE = {"StudyDate": "20240101-20241231"}


def with_archive(context: FlowContext, url: str = "http://127.0.0.1:9/web") -> FlowContext:
    peers = {"archive": DicomwebPeer(kind="dicomweb", url=url)}
    return replace(context, config=context.config.model_copy(update={"peers": peers}))


def test_the_api_asks_lists_and_cancels(context: FlowContext) -> None:
    client = logged_in(with_archive(context), Role.OPERATOR)
    asked = {"peer": "archive", "studies": ["1.2", "1.3", "1.2"]}
    done = client.request("POST", "/api/v1/pulls", json=asked)
    assert done.json() == {"peer": "archive", "studies": 2, "instances": 0, "new": 2}
    assert client.request("POST", "/api/v1/pulls", json=asked).json()["new"] == 0
    listed = client.get("/api/v1/pulls?state=QUEUED&peer=archive").json()
    assert [one["study_instance_uid"] for one in listed] == ["1.3", "1.2"]
    sums = client.get("/api/v1/pulls/summary").json()
    assert sums == [{"peer": "archive", "studies": {"QUEUED": 2}}]
    one = client.request("POST", "/api/v1/pulls/cancel", json={"studies": ["1.2"]})
    assert one.json() == {"cancelled": 1}
    assert client.request("POST", "/api/v1/pulls/cancel", json={}).json() == {"cancelled": 1}


@pytest.mark.parametrize(
    "asked",
    [
        {"peer": "archive", "studies": []},
        {"peer": "archive", "studies": ["NAME^OF"]},
        {"peer": "archive"},
        {"studies": ["1.2"]},
    ],
)
def test_the_api_refuses_what_is_no_study(context: FlowContext, asked: object) -> None:
    client = logged_in(with_archive(context), Role.OPERATOR)
    answer = client.request("POST", "/api/v1/pulls", json=asked)
    assert answer.status_code in (400, 409)
    assert "NAME" not in answer.text
    assert client.get("/api/v1/pulls").json() == []


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", {"studies": ["1.2"]}), ("/search", {"where": WHERE}), ("/found", {"where": WHERE})],
)
def test_an_archive_that_is_not_configured_is_not_found(
    context: FlowContext, path: str, asked: dict[str, object]
) -> None:
    client = logged_in(with_archive(context), Role.OPERATOR)
    answer = client.request("POST", f"/api/v1/pulls{path}", json={"peer": "else", **asked})
    assert answer.status_code == 404
    assert "archives of this configuration: archive" in answer.json()["detail"]


@pytest.mark.parametrize("where", [{}, {"": "1"}, {"": []}, {"StudyDate": 1}])
def test_the_document_forbids_a_search_that_is_refused(
    context: FlowContext, where: dict[str, object]
) -> None:
    client = logged_in(with_archive(context), Role.OPERATOR)
    described = SearchAt.model_json_schema()["properties"]["where"]
    assert not Draft202012Validator(described).is_valid(where)
    assert Draft202012Validator(described).is_valid(WHERE)
    asked = {"peer": "archive", "where": where}
    assert client.request("POST", "/api/v1/pulls/search", json=asked).status_code == 400


def test_what_a_search_finds_is_fetched_and_nobody_is_named(context: FlowContext) -> None:
    pages = [[FOUND], []]
    with web_peer(lambda asked: Answer.of_json(pages["offset" in asked.path])) as peer:
        node = with_archive(context, peer.url)
        client = logged_in(node, Role.OPERATOR)
        asked = {"peer": "archive", "where": WHERE}
        found = client.request("POST", "/api/v1/pulls/search", json=asked)
        assert found.json() == [
            {
                "study_instance_uid": "1.2.3",
                "study_date": "20240203",
                "modalities": ["CT"],
                "series": None,
                "instances": 7,
            }
        ]
        assert client.get("/api/v1/pulls").json() == []
        done = client.request("POST", "/api/v1/pulls/found", json=asked).json()
        assert (done["studies"], done["instances"], done["new"]) == (1, 7, 1)
        assert "NAME" not in client.get("/api/v1/pulls").text
        assert "limit=1000" in peer.asked[0].path
        assert "offset=1" in peer.asked[1].path
    assert client.request("POST", "/api/v1/pulls/search", json=asked).status_code >= 400


def test_the_page_asks_and_cancels(context: FlowContext) -> None:
    client = logged_in(with_archive(context), Role.OPERATOR)
    assert "<option>archive</option>" in client.get("/pulls").text
    form = {"peer": "archive", "study": "1.2 1.3"}
    answer = client.request("POST", "/pulls", data=form)
    assert (answer.status_code, "2%20studies" in answer.headers["location"]) == (303, True)
    assert "2 studies will be fetched" in client.get(answer.headers["location"]).text
    shown = client.get("/pulls?state=QUEUED").text
    assert "1.2" in shown
    assert 'action="/pulls/cancel"' in shown
    client.request("POST", "/pulls/cancel", data={"peer": "archive", "study": "1.2"})
    left = client.get("/api/v1/pulls?state=QUEUED").json()
    assert [one["study_instance_uid"] for one in left] == ["1.3"]
    sums = client.get("/api/v1/pulls/summary").json()
    assert sums == [{"peer": "archive", "studies": {"CANCELLED": 1, "QUEUED": 1}}]
    assert client.request("POST", "/pulls", data={"peer": "archive"}).status_code == 400


def test_what_is_being_fetched_is_cancelled_by_page_and_api(context: FlowContext) -> None:
    node = with_archive(context)
    client = logged_in(node, Role.OPERATOR)
    client.request("POST", "/api/v1/pulls", json={"peer": "archive", "studies": ["1.2", "1.3"]})
    for way, path in (("data", "/pulls/cancel"), ("json", "/api/v1/pulls/cancel")):
        with node.write() as transaction:
            claimed = pulls.claim(transaction, "archive")
            assert claimed is not None
        uid = claimed.study_instance_uid
        assert 'action="/pulls/cancel"' in client.get("/pulls?state=RUNNING").text
        studies = {"data": {"study": uid}, "json": {"studies": [uid]}}[way]
        client.request("POST", path, **{way: {"peer": "archive", **studies}})
        with node.database.read() as session:
            assert not pulls.is_wanted(session, claimed)
    assert "CANCELLED" in client.get("/pulls").text
    empty = client.request("POST", "/api/v1/pulls/cancel", json={"studies": []})
    assert empty.status_code == 400, "an empty list does not mean all studies"


def test_a_viewer_only_looks(context: FlowContext) -> None:
    client = logged_in(with_archive(context), Role.VIEWER)
    assert 'action="/pulls"' not in client.get("/pulls").text
    asked = {"peer": "archive", "studies": ["1.2"]}
    for path in ("/api/v1/pulls", "/api/v1/pulls/search", "/api/v1/pulls/cancel"):
        assert client.request("POST", path, json=asked).status_code == 403
    assert client.get("/api/v1/pulls").json() == []
