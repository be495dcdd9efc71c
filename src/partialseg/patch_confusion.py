"""The confusion matrix of every patch by itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partialseg.patches import Patch, PatchStore
from partialseg.truth import NO_TRUTH


def patch_confusions(
    store: PatchStore, patches: Sequence[Patch], predictions: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Return the confusion matrices counts[k, t, p], int64 (K, C, C), of the known pixels.

    predictions are the class ids (K, size, size) of the patches in their order.
    """
    classes = len(store.summary.class_names)
    counts = np.zeros((len(patches), classes, classes), np.int64)
    for matrix, patch, prediction in zip(counts, patches, predictions, strict=True):
        truth = store.truth(patch)
        known = truth != NO_TRUTH
        pairs = truth[known].astype(np.intp) * classes + prediction[known]
        assert prediction[known].max(initial=0) < classes, patch.name
        matrix += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    return counts
