"""A report that is compared with an earlier study, before the validators of the field."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.results.build import build_results
from pacs_ai.results.common.predecessor import Predecessor
from tests.integration.test_results_validators import (
    BOTH,
    CASES,
    check,  # noqa: F401 - a fixture
    copies,
    failures,
    grey,
    pictures,
    write,
)
from tests.unit.results.samples import CONTEXT, study
from tests.unit.results.test_prior import PRIOR, REPORT

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.parametrize("report", [REPORT, None], ids=["with its report", "without"])
def test_no_validator_finds_anything(
    report: Predecessor | None,
    shared: Path,
    check,  # noqa: F811
    tmp_path: Path,
) -> None:
    case = CASES["ct"]
    prediction = study(list(pictures(case, copies(case, shared, tmp_path / "source"))))
    context = replace(CONTEXT, prior=replace(PRIOR, report=report))
    made = write(build_results(prediction, BOTH, context, grey), tmp_path / "made")
    found = failures(check(made, tmp_path / "source"))
    if report is None:
        assert found == []
    else:  # the checker and dcentvfy know the studies that they were given, not the earlier one
        evidence, entity = found
        assert "evidence references exist in the source" in evidence
        assert evidence.endswith(f"['{report.sop_instance_uid}']")
        missed = re.findall(r"Missing SOPInstanceUID that was referenced - (\S+)", entity)
        assert set(missed) == {report.sop_instance_uid}
        assert entity.count("Error") == len(missed)
