"""The model: transformer, stage modules, autoencoder, conditioner, presets."""
