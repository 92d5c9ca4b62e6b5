"""The node of `pacs-ai bench site` trusts whom the user's node trusts."""

from pathlib import Path

import pytest

from pacs_ai.bench.site import bench_site
from pacs_ai.bench.workspace import BenchWorkspace
from pacs_ai.config import Config, ModelEntry, load_config
from pacs_ai.errors import BundleInvalid

KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
DEMO = ModelEntry(bundle="demo")


def trusting(keys: tuple[str, ...]) -> Config:
    return Config.model_validate({"bundles": {"trusted_keys": keys}})


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_its_configuration_has_the_trusted_keys(keys: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "pacs-ai.toml"
    file.write_text(BenchWorkspace(tmp_path, trusting(keys), DEMO).configuration(11112, 11113))
    assert load_config(file).bundles.trusted_keys == keys


def test_a_bundle_that_nobody_signed_is_refused_before_the_first_study() -> None:
    with pytest.raises(BundleInvalid, match="sign"):
        bench_site(trusting((KEY,)), DEMO, 1, lambda _: None)
