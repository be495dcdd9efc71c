"""Whether training is still sound: finite losses and gradients, step by step."""

import math

from torch import Tensor

# The scale starts at 2^16 and halves at each overflow: after so many it is not to blame.
GIVEN_UP = 20


class Health:
    """Watches the steps of an epoch; stops at a loss or a gradient that is not finite.

    It looks at a step when the next one is on its way, so that a GPU never waits for it. Where
    float16 scales gradients, a step with an infinite one was skipped by the scaler: such steps are
    counted, and stop only an epoch of many that has no other.
    """

    def __init__(self, epoch: int, scaled: bool, hint: str) -> None:
        self._where = f"epoch {epoch}, step"
        self._scaled = scaled
        self._hint = hint
        self._pending: tuple[Tensor, Tensor] | None = None
        self._last_loss = math.nan
        self.steps = 0
        self.skipped = 0

    def add(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Take loss and norm of the gradient of a step, scalars on the device.

        Raises:
            ValueError: those of the step before are not finite.
        """
        self._check()
        self._pending = loss, gradient_norm

    def finish(self) -> None:
        """Check the last step.

        Raises:
            ValueError: it is not finite, or every step of the epoch was skipped.
        """
        self._check()
        if self.skipped == self.steps >= GIVEN_UP:
            raise ValueError(
                f"{self._where}s 1-{self.steps}: every gradient overflowed float16 and was "
                "skipped; take precision bfloat16 or float32"
            )

    def _check(self) -> None:
        if self._pending is None:
            return
        loss, norm = (float(value) for value in self._pending)
        self._pending = None
        self.steps += 1
        if not math.isfinite(loss):
            before = "" if self.steps == 1 else f" (the step before: {self._last_loss:.4g})"
            raise ValueError(
                f"{self._where} {self.steps}: the training loss is {loss}{before}; {self._hint}"
            )
        self._last_loss = loss
        if math.isfinite(norm):
            return
        if not self._scaled:
            raise ValueError(
                f"{self._where} {self.steps}: the loss is {loss:.4g}, but its gradient is not "
                f"finite; {self._hint}"
            )
        self.skipped += 1
