"""Flow matching: path, training times, losses, sampler. Knows no model."""
