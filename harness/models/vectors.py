"""The array type of vectors, in its own module so that naming a model does not import NumPy."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
