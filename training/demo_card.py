"""The model card: what a bundle is, what it was made from, and how good it is."""

from collections.abc import Mapping
from string import Template

from .config import Recipe
from .config_data import PhantomData
from .demo_figures import OVERALL, Figures
from .demo_metrics import Interval

_CARD = Template("""\
# Model card: $name $version

> **DEMONSTRATION ONLY. NOT FOR CLINICAL USE.** This model was trained on synthetic phantoms that a
> program drew. It has never seen a patient. What it says of a real image means nothing; it exists
> so that the way of a study through the node can be watched.

## What it is
$description

- Input: one grey image, $height x $width, preprocessing `$preprocess`; takes $modalities.
- Output: `no finding` (99PACSAI NOFIND) or `lesion` (SCT 52988006), softmax, temperature
  $temperature, operating point $threshold on the probability of a lesion.
- A study is as loud as its loudest image (`max`). Every image is explained by Grad-CAM in closed
  form, which is exact for this network: mean over the last feature map, then one dense layer.
- A small residual network of $parameters parameters in float32; at most $difference apart from the
  trained one in any logit or feature.

## Where it comes from
- Data: $train phantom studies for training, $validation for choosing epoch, temperature and
  operating point, $test for the figures below; CT of chest and abdomen, brain MR, chest radiographs
  (CR, DX), each in equal number, drawn by `pacs_ai/demo/phantom.py`. No patient is in two splits,
  and splits are drawn from different seeds. Licence of data and model: that of this project.
- Teaching: the class of each image, and the lesion's box as well: heat outside of the box costs
  (`map_weight` in the recipe). That the heat map points at lesions was taught; it is no sign that
  heat maps of models trained without boxes do.
- Training: `training/recipes/$name.toml`. To make it again, with the locked versions of the `train`
  extra:

      python -m training.demo --out DIR

  On the same machine the bundle comes out bit for bit. On another (other processor, other
  TensorFlow) sums run in another order: the figures below must hold within their intervals.

## How good it is, on phantoms it has never seen
95 % intervals by bootstrap over patients. *Pointing*: of all cases with a lesion, the share in
which the peak of the heat map lies inside the lesion's box; for a study that of its loudest image,
which must show the lesion.

### By study
$studies

### By image
$images

## Limits
- Phantoms are far simpler than people. Nothing here transfers to real images: no accuracy, no
  calibration, no absence of bias.
- Lesions are single, roundish, and between a twentieth and a sixth of the image wide. Others were
  never shown.
- It answers for any grey image, also for those it was not made for. No figure covers such input.
""")


def model_card(
    recipe: Recipe,
    *,
    temperature: float,
    threshold: float,
    parameters: int,
    difference: float,
    studies: Mapping[str, Figures],
    images: Mapping[str, Figures],
) -> str:
    """Write the card of a bundle.

    Parameters
    ----------
    recipe
        What it was made from.
    temperature, threshold
        Calibration and operating point, chosen on validation.
    parameters
        Weights of the network.
    difference
        Largest difference between the trained and the exported network.
    studies, images
        Figures on the test split.
    """
    data, spec, release = recipe.data, recipe.input, recipe.release
    assert isinstance(data, PhantomData)  # noqa: S101 - until the pipeline takes any
    return _CARD.substitute(
        name=release.name,
        version=release.version,
        description=release.description,
        height=spec.height,
        width=spec.width,
        preprocess=spec.preprocess,
        modalities=", ".join(spec.modalities),
        temperature=f"{temperature:.4f}",
        threshold=f"{threshold:.4f}",
        parameters=f"{parameters:,}",
        difference=f"{difference:.0e}",
        train=data.train_studies,
        validation=data.validation_studies,
        test=data.test_studies,
        studies=_table(studies),
        images=_table(images),
    )


def _table(groups: Mapping[str, Figures]) -> str:
    lines = [
        "| group | cases | with lesion | AUC | sensitivity | specificity | pointing | ECE |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, group in groups.items():
        figures = (group.auc, group.sensitivity, group.specificity, group.pointing)
        cells = [
            f"**{name}**" if name == OVERALL else name,
            str(group.auc.cases),
            str(group.pointing.cases),
            *map(_interval, figures),
            f"{group.calibration_error:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(figure: Interval) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"
