"""What all sections of a recipe have in common."""

from pydantic import ConfigDict

from pacs_ai.toml_table import TomlTable


class Strict(TomlTable):
    """Inf and nan, which TOML can hold, are errors too."""

    model_config = ConfigDict(allow_inf_nan=False)
