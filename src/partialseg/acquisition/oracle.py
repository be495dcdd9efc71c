"""The annotator: who tells the classes of the pixels that are bought, and of no others."""

import numpy as np
from numpy.typing import NDArray

from partialseg.loss import IGNORE_INDEX
from partialseg.patches import Patch, PatchStore
from partialseg.truth import NO_TRUTH


class Oracle:
    """Answers from the truth of a patch store; nothing else of the acquisition reads it."""

    def __init__(self, store: PatchStore) -> None:
        self._store = store

    def ask(self, patch: Patch, wanted: NDArray[np.bool_]) -> NDArray[np.int16]:
        """Return the classes (H, W) of the wanted pixels (H, W), IGNORE_INDEX at all others.

        It is IGNORE_INDEX too where a wanted pixel has no truth: the question is spent.

        Raises:
            ValueError: the truth of a wanted pixel is no class.
        """
        answers = self._store.truth(patch)[wanted].astype(np.int16)
        classes = len(self._store.summary.class_names)
        wrong = answers[(answers >= classes) & (answers != NO_TRUTH)]
        if wrong.size:
            raise ValueError(
                f"patch {patch.name}: damaged truth: class id {wrong[0]}, allowed are "
                f"0..{classes - 1} and {NO_TRUTH}"
            )
        labels = np.full(wanted.shape, IGNORE_INDEX, np.int16)
        labels[wanted] = np.where(answers == NO_TRUTH, IGNORE_INDEX, answers)
        return labels
