"""The heat maps of one image: kept on the network's grid, drawn when one is asked for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.model.preprocess import saliency_to_image
from pacs_ai.model.spec import InputSpec


@dataclass(frozen=True, slots=True)
class GridMaps:
    """Heat maps of all classes on one image.

    A study of thousands of images keeps the grids, a few hundred bytes a class. A drawn map is as
    large as the network's input, and most are never looked at.

    Attributes
    ----------
    grid
        Shape (classes, h, w) of the last features, float32, in [0, 1].
    rows, columns
        Size of the image that was preprocessed.
    spec
        What the network takes.
    """

    grid: npt.NDArray[np.float32]
    rows: int
    columns: int
    spec: InputSpec

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.grid)

    def __getitem__(self, class_index: int, /) -> npt.NDArray[np.float32]:
        """Draw the map of one class; see `saliency_to_image`.

        Returns
        -------
        NDArray
            Shape (height, width), in [0, 1]: it covers exactly the whole image.
        """
        one = self.grid[class_index][None]
        drawn: npt.NDArray[np.float32]
        (drawn,) = saliency_to_image(one, self.rows, self.columns, self.spec)
        return drawn
