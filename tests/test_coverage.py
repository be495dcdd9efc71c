"""What the benchmark of the intervals simulates and counts."""

import numpy as np
import pytest

from coverage import SCENARIOS, SHARES, bootstraps, coverage, gain, jackknife, simulate, true_gain
