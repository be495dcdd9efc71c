"""What the benchmark of the intervals simulates and counts."""
