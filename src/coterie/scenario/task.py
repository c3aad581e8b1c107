"""What is learned: the data, the model, and what is held back to test it."""

from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from pydantic import Field, Strict

from coterie.scenario.choice import Choice
from coterie.scenario.part import Part, Short
from coterie.scenario.schema import OWN_CODE, bare_names


class Dataset(Choice):
    """Where samples come from; `module:function` of your own is short for {name: python, source: module:function}."""

    registry: ClassVar[str] = "coterie.tasks.datasets:DATASETS"

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """A bare string is a name, or code of the user's own."""
        return {"name": "python", "source": value} if isinstance(value, str) and ":" in value else super().expanded(value)

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """Code of the user's own."""
        return [OWN_CODE]


class Model(Choice):
    """The model; `module:Class` is a torch.nn.Module of your own."""

    registry: ClassVar[str] = "coterie.learning.models:MODELS"
    default: ClassVar[str | None] = "mlp"
    own_code: ClassVar[bool] = True


class Stage(Choice):
    """A stage of preprocessing, fitted without pooling raw data."""

    registry: ClassVar[str] = "coterie.tasks.preprocessing:STAGES"


class Task(Part):
    """What is learned. A bare string is the data set.

    preprocess: stages in order; by default those that suit the data set. test_fraction: the part of each node's samples that it
    tests its model on. common_test_fraction: the part of all samples that becomes the common test set, where the data set has
    no official one.
    """

    short: ClassVar[Short | None] = Short("dataset", (str,))

    dataset: Dataset
    model: Model = Field("mlp", validate_default=True)
    preprocess: tuple[Stage, ...] | None = None
    test_fraction: Annotated[float, Strict(), Ge(0), Lt(1)] = 0.2
    common_test_fraction: Annotated[float, Strict(), Gt(0), Lt(1)] = 0.2

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """A data set that needs no parameters, or code of the user's own."""
        return [{"enum": bare_names(Dataset)}, OWN_CODE]
