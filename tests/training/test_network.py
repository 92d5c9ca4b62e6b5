import hashlib
import math
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from pacs_ai.errors import BundleInvalid, ConfigError
from pacs_ai.model.preprocess import preprocess, scale
from pacs_ai.model.spec import InputSpec, preprocess_id
from training.networks import FEATURES, POOLED, base_layers, build_network
from training.networks.head import split_head
from training.networks.weights import load_weights, save_weights, start_from
from training.pretrained.catalogue import KNOWN
from training.recipe.learning import IMAGENET_SCALING, Backbone, ConvNeXt
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

MODULES = {
    "resnet50v2": "resnet_v2",
    "resnet101": "resnet",
    "densenet121": "densenet",
    "efficientnetb0": "efficientnet",
}
ARCHITECTURES = ["resnet50", "resnet50v2", "resnet101", "vgg16", "densenet121", "efficientnetb0"]
CONVNEXT = "convnext-tiny"


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (4, 128, 128, 1)).astype(np.float32)


def small_network(recipe: Recipe, classes: int = 2) -> keras.Model:
    return build_network(recipe.input, recipe.network, classes)


def colour(side: int = 64) -> InputSpec:
    return InputSpec(
        height=side,
        width=side,
        preprocess="letterbox-caffe-rgb-v1",
        modalities=("MR",),
        max_images=10,
    )


def test_the_grid_of_features_lies_symmetrically_over_the_image(
    small_recipe: Recipe, x: np.ndarray
) -> None:
    # With kernels that do not change when mirrored, a mirrored image must give mirrored features;
    # one-sided padding would shift them.
    network = small_network(small_recipe)
    network.set_weights(
        [
            np.broadcast_to(w.mean(axis=(0, 1)), w.shape) if w.ndim == 4 else w
            for w in network.get_weights()
        ]
    )
    twin = keras.Model(network.input, network.get_layer(FEATURES).output)
    for axis in (1, 2):
        mirrored = twin(np.flip(x, axis)).numpy()
        assert np.allclose(mirrored, np.flip(twin(x).numpy(), axis), atol=1e-5)


def section(architecture: str, **keys: object) -> Backbone | ConvNeXt:
    kind = ConvNeXt if architecture == CONVNEXT else Backbone
    return kind(architecture=architecture, **keys)


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, CONVNEXT])
@pytest.mark.timeout(1800)
def test_every_network_has_the_head_that_closed_form_needs(architecture: str) -> None:
    keras.utils.set_random_seed(1)
    config = section(architecture, dropout=0.3, l2=1e-4)
    network = build_network(colour(), config, 3)
    features, dense = split_head(network)
    twin = keras.Model(network.input, [features, network.output])
    image = np.random.default_rng(1).uniform(-100, 100, (1, 64, 64, 3)).astype(np.float32)
    maps, logits = (np.asarray(each) for each in twin(image, training=False))
    assert maps.ndim == 4
    pooled = maps.mean(axis=(1, 2))
    wanted = pooled @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    assert np.allclose(logits, wanted, rtol=1e-3, atol=1e-4)
    kernels = [v for v in network.trainable_variables if v.path.endswith("kernel")]
    assert all(v.regularizer is not None for v in kernels)
    assert len(kernels) > 10


def test_weights_survive_the_disk(small_recipe: Recipe, x: np.ndarray, tmp_path: Path) -> None:
    first, second = (small_network(small_recipe) for _ in range(2))
    save_weights(first, tmp_path / "w.npz")
    load_weights(second, tmp_path / "w.npz")
    assert np.array_equal(first(x).numpy(), second(x).numpy())
    with pytest.raises(BundleInvalid, match="weights"):
        load_weights(small_network(small_recipe, 3), tmp_path / "w.npz")
    with pytest.raises(BundleInvalid, match="weights"):
        load_weights(second, tmp_path / "absent.npz")
    whole = (tmp_path / "w.npz").read_bytes()
    (tmp_path / "w.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleInvalid, match="weights"):
        load_weights(second, tmp_path / "w.npz")


def test_another_run_is_a_start_also_for_other_classes(
    small_recipe: Recipe, tmp_path: Path
) -> None:
    first = small_network(small_recipe)
    save_weights(first, tmp_path / "w.npz")
    path = str(tmp_path / "w.npz")
    config = small_recipe.network.model_copy(update={"weights": path})
    same = build_network(small_recipe.input, config, 2)
    more = build_network(small_recipe.input, config, 5)
    for network in (same, more):
        pairs = zip(network.get_weights()[:-2], first.get_weights()[:-2], strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    assert np.array_equal(same.get_weights()[-2], first.get_weights()[-2])
    wider = small_recipe.network.model_copy(update={"weights": path, "stem": 5})
    with pytest.raises(ConfigError, match="another network"):
        build_network(small_recipe.input, wider, 2)
    with pytest.raises(ConfigError, match="no weights"):
        start_from(first, tmp_path / "absent.npz")


def write_vgg16(path: Path) -> keras.Model:
    """Write random weights in the form in which Keras offers its files for download."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, base)
    return base


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so, and h5py reads
def test_a_file_of_keras_applications_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.h5"
    base = write_vgg16(path)
    network = build_network(colour(), Backbone(architecture="vgg16", weights=str(path)), 2)
    pairs = zip(network.get_weights()[:-2], base.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    other = Backbone(architecture="resnet50", weights=str(path))
    with pytest.raises(ConfigError, match="resnet50"):
        build_network(colour(), other, 2)
    absent = Backbone(architecture="vgg16", weights=str(tmp_path / "absent.h5"))
    with pytest.raises(ConfigError, match="absent"):
        build_network(colour(), absent, 2)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
@pytest.mark.parametrize("form", ["legacy", "new"])
def test_convnext_computes_what_keras_applications_computes(form: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    theirs = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    rng = np.random.default_rng(3)
    for variable in theirs.trainable_variables:  # as built, each block is nearly nothing
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    path = tmp_path / ("file.h5" if form == "legacy" else "file.weights.h5")
    if form == "legacy":
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    else:
        theirs.save_weights(path)
    spec = colour().model_copy(update={"preprocess": "letterbox-imagenet-rgb-v1"})
    network = build_network(spec, section(CONVNEXT, weights=str(path)), 2)
    ours = keras.Model(network.input, network.get_layer(FEATURES).output)
    grey = rng.uniform(0, 1, (1, 64, 64, 1)).astype(np.float32)
    wanted = theirs(np.repeat(grey, 3, axis=3) * 255, training=False).numpy()
    found = ours(scale(grey, spec), training=False).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())
    assert {layer.name.split("_")[0] for layer in base_layers(network) if layer.weights} == {
        "stem", "stage1", "stage2", "stage3", "stage4", "top"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="32 x 32"):
        build_network(colour(16), section(CONVNEXT), 2)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
def test_a_file_that_keras_downloaded_is_used_if_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PACS_AI_WEIGHTS", str(tmp_path / "weights"))
    kept = tmp_path / ".keras" / "models" / KNOWN["vgg16"].file
    kept.parent.mkdir(parents=True)
    base = write_vgg16(kept)
    config = Backbone(architecture="vgg16", weights="imagenet")
    with pytest.raises(ConfigError, match="damaged"):
        build_network(colour(), config, 2)
    digest = hashlib.md5(kept.read_bytes(), usedforsecurity=False).hexdigest()
    known = replace(KNOWN["vgg16"], digest=f"md5:{digest}")
    monkeypatch.setitem(KNOWN, "vgg16", known)
    found = build_network(colour(), config, 2).get_weights()[:-2]
    assert all(np.array_equal(a, b) for a, b in zip(found, base.get_weights(), strict=True))


def test_a_base_is_all_below_the_head(small_recipe: Recipe) -> None:
    network = small_network(small_recipe)
    names = {layer.name for layer in base_layers(network)}
    assert "stem_conv" in names
    assert names.isdisjoint({FEATURES, POOLED, "logits"})
    learning = sum(math.prod(v.shape) for v in network.trainable_variables)
    for layer in base_layers(network):
        layer.trainable = False
    assert sum(math.prod(v.shape) for v in network.trainable_variables) == 8 * 2 + 2 < learning


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scalings_are_those_of_keras_applications(architecture: str) -> None:
    module = getattr(keras.applications, MODULES.get(architecture, architecture))
    name = preprocess_id("stretch", IMAGENET_SCALING[architecture], 3)
    spec = InputSpec(height=16, width=16, preprocess=name, modalities=("CT",), max_images=1)
    grey = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    theirs = module.preprocess_input(np.repeat(grey[None, ..., None], 3, axis=3) * 255)
    np.testing.assert_allclose(preprocess(grey, spec), theirs, atol=2e-4)
