from pathlib import Path

from pacs_ai.results.sr.measurement_report import build_report
from pacs_ai.results.sr.report_text import render_text
from tests.unit.results.conftest import Images
from tests.unit.results.samples import analysed, ct_slice, image, save, study


def test_a_report_reads_like_one(tmp_path: Path) -> None:
    source = ct_slice(TimezoneOffsetFromUTC="+0100", StudyDescription="Thorax")
    prediction = study([image(save(source, tmp_path / "1.dcm"), (0.1875, 0.8125))])
    report = next(build_report(analysed(prediction)))
    assert render_text(report).splitlines() == [
        "Imaging Measurement Report - AI RESEARCH - NOT FOR CLINICAL USE",
        "",
        "Study        20250607 Thorax",
        "Study UID    1.2.3",
        "Analysed     1 instance",
        "Model        demo 1.2.3 by somebody, weights abababababab",
        "Status       complete, preliminary, unverified",
        "Made         2026-01-02 04:04:05 +0100",
        "",
        "Image 1",
        "  Lesion                            81.25 %  present (threshold 50 %)",
        "  No finding                        18.75 %",
    ]


def test_a_study_of_several_images_is_summed_up(images: Images) -> None:
    prediction = study(images([0.1, 0.2, 0.3, 0.4]))
    text = render_text(next(build_report(analysed(prediction))))
    assert "Analysed     4 instances" in text
    assert "Aggregation  max" in text
    assert text.index("\nStudy\n") < text.index("\nImage 4\n")
    assert text.count("absent") == 2


def test_the_text_names_nobody(images: Images) -> None:
    prediction = study(
        images([0.9], PatientName="CANARY^NAME", PatientID="CANARY", AccessionNumber="CANARY")
    )
    assert "CANARY" not in render_text(next(build_report(analysed(prediction))))
