"""What a recipe on hidden clusters says of its samples: how many, of how many coordinates, labelled how."""

from typing import Annotated, Literal

from pydantic import Field

# The number of training samples.
SampleSize = Annotated[int, Field(ge=2)]

# The number of coordinates: the constant one, those of the discs, and any others.
Dim = Annotated[int, Field(ge=3)]

# A number of steps of ascent.
Steps = Annotated[int, Field(ge=1)]

# Labels of the discs drawn for each seed, as in the paper; a product of two signs; or, instead, by the norm of samples.
Labelling = Literal["drawn", "product", "norm"]
