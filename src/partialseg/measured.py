"""Which metrics are measured: time and memory differ run by run, and are no results."""

MEASURED = frozenset({"train_seconds", "peak_memory_mib"})


def is_measured(key: str) -> bool:
    """Whether a dotted key, 'unet.tuned.train_seconds', ends in the name of a measured metric."""
    return key.rpartition(".")[2] in MEASURED
