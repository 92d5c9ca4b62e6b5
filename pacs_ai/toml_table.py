"""A table of a TOML file that people write: what all such models have in common."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class TomlTable(BaseModel):
    """Frozen; an unknown key is an error, and so is ``true`` where a number is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _no_truth_as_number(cls, table: object) -> object:
        """Refuse ``port = true``, which pydantic would take for 1."""
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("value_error", "must not be true or false"),
                loc=(name,),
                input=value,
            )
            for name, value in (table.items() if isinstance(table, Mapping) else ())
            if isinstance(value, bool)
            and (field := cls.model_fields.get(name))
            and "bool" not in str(field.annotation)
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return table
