"""Which devices a configuration may name, and how it may use them."""

from pathlib import Path

import pytest

from pacs_ai.config import load_config
from pacs_ai.config.sections import Engine
from pacs_ai.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('device = "cuda"', "engine.device: must be 'cpu', or a GPU: 'cuda:0' is the first one"),
        ('device = "cuda:00"', "engine.device: must be 'cpu', or a GPU"),
        ('device = "cuda:-1"', "engine.device: must be 'cpu', or a GPU"),
        ('device = "cuda:100"', "engine.device: must be 'cpu', or a GPU"),
        ("device = 0", "engine.device: must be 'cpu', or a GPU"),
        ("device = []", "engine.device: must be 'cpu', or a GPU"),
        ('device = ["cuda:0", 1]', "engine.device: must be 'cpu', or a GPU"),
        ('device = ["cpu", "cuda:0"]', "engine.device: a list of devices may have GPUs alone"),
        ('device = ["cuda:0", "cuda:0"]', "engine.device: names a GPU twice"),
        ('runtime = "openvino"\ndevice = ["cuda:0"]', 'device must be "cpu"'),
        ('device_memory = "1MiB"', "engine.device_memory: must be at least"),
        ('device_memory = "much"', "engine.device_memory: must be a size"),
        ("batch_images = 0", "engine.batch_images: must be at least 1"),
        ("batch_images = 1000", "engine.batch_images: must be at most 256"),
        ("batch_wait_ms = -1", "engine.batch_wait_ms: must be at least 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "pacs-ai.toml"
    path.write_text(f"[engine]\n{line}\n")
    with pytest.raises(ConfigError, match=says):
        load_config(path)


@pytest.mark.parametrize(
    ("device", "devices"),
    [
        ("cpu", ("cpu",)),
        ("cuda:12", ("cuda:12",)),
        (["cuda:1", "cuda:0"], ("cuda:1", "cuda:0")),
    ],
)
def test_one_device_or_a_list_of_gpus(device: object, devices: tuple[str, ...]) -> None:
    engine = Engine.model_validate({"device": device})
    assert engine.devices == devices
    assert Engine.model_validate(engine.model_dump(mode="json")) == engine
