"""What all sections of a recipe have in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Frozen; an unknown key is an error, and so are inf and nan, which TOML can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
