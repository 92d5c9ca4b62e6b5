"""What the values of a model depend on, as the report and the bundle state it."""

from pacs_ai.domain import ModelIdentity


def parameters_before(model: ModelIdentity) -> list[str]:
    """Parameters of the algorithm (111002, DCM) up to those of a class."""
    height, width = model.input_size
    return [
        f"weights-sha256={model.sha256}",
        f"input={width}x{height}",
        f"modalities={','.join(model.modalities)}",
        f"preprocess={model.preprocess}",
        f"activation={model.activation}",
        f"temperature={model.temperature:g}",
    ]


def parameters_after(model: ModelIdentity) -> list[str]:
    """Parameters of the algorithm after those of a class."""
    sets = [f"confidence={model.sets.confidence:g}"] if model.sets is not None else []
    return [*sets, f"aggregation={model.aggregation}"]
