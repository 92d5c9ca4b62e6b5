"""The images of a study beside its report: what is listed, and the pictures."""

import io
import json
import re
from typing import Any

import anyio
import httpx
import numpy as np
import pydicom
import pytest
import sqlalchemy as sa
from PIL import Image

from pacs_ai.clock import ManualClock
from pacs_ai.dicom.chosen_window import through_window, window_range
from pacs_ai.dicom.pixels import decode_frame
from pacs_ai.dicom.voi import Window
from pacs_ai.domain import ResultKind, Role, StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.store import overview
from pacs_ai.store.schema import Instance, Result, Study
from pacs_ai.web.app import make_app
from pacs_ai.web.viewer.overlays import study_layers
from pacs_ai.web.viewer.pictures import RecentFrames
from pacs_ai.web.viewer.study_images import study_images
from tests.http_client import HttpClient
from tests.samples import sample
from tests.unit.flow.analysed import RULE, Patient, on_a_node
from tests.unit.flow.conftest import arrive

SHOWN = (ResultKind.REPORT, ResultKind.CAPTURE, ResultKind.MAP)


@pytest.fixture
def patient(context: FlowContext, clock: ManualClock) -> Patient:
    """A study of two slices with its results."""
    one = on_a_node(context, clock, RULE.model_copy(update={"send_to": (), "results": SHOWN}))
    dataset = pydicom.dcmread(sample())
    for number in (2, 1):
        dataset.InstanceNumber, dataset.SOPInstanceUID = number, f"1.2.3.{number}"
        dataset.PatientName, dataset.AccessionNumber = "CANARY^NAME", "ACC7"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        assert arrive(one.context, Arrivals(), dataset, "a").status == 0x0000
    one.route()
    one.analyse()
    return one


@pytest.fixture
def client(patient: Patient) -> HttpClient:
    return HttpClient(make_app(patient.context), headers={"accept": "text/html"})


def shown(client: HttpClient, path: str, **headers: str) -> Image.Image:
    answer = client.get(path, **headers)
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def data(client: HttpClient) -> dict[str, Any]:
    text = client.get("/studies/1/images").text
    found = re.search(r'<script type="application/json" id="v-data">(.*?)</script>', text)
    assert found is not None
    answer: dict[str, Any] = json.loads(found[1])
    return answer


def test_images_are_listed_in_the_order_of_their_numbers(patient: Patient) -> None:
    found = study_images(patient.context, 1)
    [series] = found.series
    assert found.complete
    assert series.title.startswith("CT, ")
    assert series.title.endswith("2 images")
    assert [one.key for one in series.pictures] == ["2/1", "1/1"]
    patient.file().write_bytes(b"no DICOM file")
    found = study_images(patient.context, 1)
    assert (len(found.series[0].pictures), found.unreadable) == (1, 1)


def test_a_map_goes_before_a_capture_and_lies_over_its_image(patient: Patient) -> None:
    [layer] = study_layers(patient.context, 1)
    assert (layer.title, layer.model, layer.opaque) == ("Lesion", "demo", False)
    assert {uid for uid, _ in layer.pictures} <= {"1.2.3.1", "1.2.3.2"}
    with patient.context.write() as transaction:
        for row in transaction.query(Result).filter_by(kind=ResultKind.MAP):
            row.path = ""
    [layer] = study_layers(patient.context, 1)
    assert (layer.title, layer.opaque) == ("Lesion", True)


def test_results_under_a_corrected_patient_are_not_shown(patient: Patient) -> None:
    with patient.context.write() as transaction:
        transaction.get_one(Study, 1).correction = 1
    assert study_layers(patient.context, 1) == []


def test_the_view_has_the_report_and_begins_at_a_heat_map(client: HttpClient) -> None:
    text = client.get("/studies/1/images").text
    for part in ("Lesion", "Threshold", "demo", "AI RESEARCH - NOT FOR CLINICAL USE"):
        assert part in text
    assert "CANARY" not in text
    content = data(client)
    series, place = content["start"]
    key = content["series"][series]["pictures"][place]
    assert f'<noscript><img src="/studies/1/images/{key}" alt="Image">' in text, "without a script"
    assert content["series"][series]["pictures"][place] in content["layers"][0]["over"]


def test_a_window_changes_the_picture_and_the_map_is_transparent(client: HttpClient) -> None:
    content = data(client)
    [key, other] = content["series"][0]["pictures"]
    plain = np.asarray(shown(client, f"/studies/1/images/{key}"))
    facts = client.get(f"/studies/1/images/{key}/window").json()
    assert facts["low"] < facts["high"]
    bright = np.asarray(shown(client, f"/studies/1/images/{key}?centre={facts['low']}&width=0.5"))
    assert (plain.shape, bright.mean() > plain.mean() + 50) == ((128, 128), True)
    heat = shown(client, f"/studies/1/overlays/{next(iter(content['layers'][0]['over'].values()))}")
    assert (heat.mode, heat.size) == ("RGBA", (128, 128))
    alpha = np.asarray(heat)[..., 3]
    assert (alpha.min(), alpha.max()) == (0, 255)
    for query in ("centre=1", "centre=1&width=0", "centre=x&width=1", "centre=nan&width=1"):
        assert client.get(f"/studies/1/images/{other}?{query}").status_code == 400


def test_what_is_not_there_is_not_found(patient: Patient, client: HttpClient) -> None:
    for path in ("images/1/2", "images/3/1", "images/1/0", "overlays/99/1", f"images/{2**80}/1"):
        assert client.get(f"/studies/1/{path}").status_code == 404, path
    assert client.get("/studies/2/images/1/1").status_code == 404
    assert client.get("/studies/2/images").status_code == 404
    with patient.context.write() as transaction:
        transaction.get_one(Instance, 1).missing = True
    assert client.get("/studies/1/images/1/1").status_code == 404


def test_who_looks_at_images_needs_a_role_and_is_in_the_ledger(
    patient: Patient, client: HttpClient
) -> None:
    token = add_token(patient.context, "anna", Role.OPERATOR).token
    viewer = add_token(patient.context, "otto", Role.VIEWER).token
    paths = ("/studies/1/images", "/studies/1/images/1/1", "/studies/1/patient")
    for path in paths:
        assert client.get(path).status_code == 303
        assert client.get(path, authorization=f"Bearer {viewer}").status_code == 403
        assert client.get(path, authorization=f"Bearer {token}").status_code == 200
    with patient.context.database.read() as session:
        lines = [one for one in overview.events(session, "access", 1) if one.actor == "anna"]
    assert [one.note for one in lines] == ["images shown", "patient shown"]


def test_the_patient_is_shown_to_who_asks(patient: Patient, client: HttpClient) -> None:
    text = client.get("/studies/1/patient").text
    assert "CANARY^NAME" in text
    assert "ACC7" in text
    with patient.context.write() as transaction:
        transaction.get_one(Study, 1).state = StudyState.CONFLICT
        transaction.execute(sa.update(Instance).values(identity_id=None))
    assert client.get("/studies/1/patient").status_code == 409


def test_a_refused_study_says_why(context: FlowContext, clock: ManualClock) -> None:
    wanted = {"send_to": (), "results": SHOWN, "when_not_analysable": "report"}
    one = on_a_node(context, clock, RULE.model_copy(update=wanted))
    dataset = pydicom.dcmread(sample())
    dataset.BodyPartExamined, dataset.Modality = "FOOT", "US"
    assert arrive(one.context, Arrivals(), dataset, "a").status == 0x0000
    one.route()
    one.analyse()
    text = HttpClient(make_app(one.context)).get("/studies/1/images").text
    assert "Not analysable" in text
    assert "This says nothing of what the images show" in text


def test_other_views_do_not_wait_for_pictures(patient: Patient) -> None:
    app = make_app(patient.context)

    async def ask() -> list[int]:
        answers: list[int] = []
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url=HttpClient.base) as client:

            async def look() -> None:
                answers.append((await client.get("/studies/1/images/1/1")).status_code)

            for _ in range(app.state.picture_limiter.total_tokens):
                await app.state.picture_limiter.acquire_on_behalf_of(object())
            async with anyio.create_task_group() as group:
                group.start_soon(look)
                assert (await client.get("/studies")).status_code == 200
                assert answers == [], "the picture waits for its turn"
                app.state.picture_limiter.total_tokens += 1
        return answers

    assert anyio.run(ask) == [200]


def test_few_frames_are_kept() -> None:
    path = sample()
    kept = RecentFrames(limit=1)
    assert kept.picture(path, 1, None) == kept.picture(path, 1, None)
    assert kept.window(path, 1) is not None
    assert not kept._frames


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_the_window_of_a_frame_shows_it_as_it_is(name: str) -> None:
    decoded = decode_frame(sample(name))
    found = window_range(decoded)
    assert found is not None
    assert found.low < found.high
    window = Window(found.centre, found.width, "LINEAR_EXACT")
    assert through_window(decoded, window).rendering != decoded.rendering


def test_colours_have_no_window() -> None:
    decoded = decode_frame(sample("examples_rgb_color.dcm"))
    assert window_range(decoded) is None
    assert through_window(decoded, Window(1.0, 2.0)) is decoded


def test_a_conflict_shows_each_patient_that_it_may_be(patient: Patient, client: HttpClient) -> None:
    dataset = pydicom.dcmread(sample())
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.9"
    dataset.PatientName, dataset.PatientID = "OTHER^NAME", "p9"
    arrive(patient.context, Arrivals(), dataset, "a")
    with patient.context.database.read() as session:
        assert session.get_one(Study, 1).state == StudyState.CONFLICT
    assert "Show the patients" in client.get("/studies/1").text
    text = client.get("/studies/1/patient").text
    assert text.index("Choice 1") < text.index("CANARY^NAME") < text.index("Choice 2")
    assert text.index("Choice 2") < text.index("OTHER^NAME")


def test_when_a_report_was_made_has_the_time_zone_of_the_node(client: HttpClient) -> None:
    text = client.get("/studies/1/images").text
    made = re.search(r"<dt>Made</dt><dd><time datetime=\"[^\"]+[+-]\d\d:\d\d\">", text)
    assert made is not None
