"""Weights in and out: the diffusers folder layout and its key names."""
