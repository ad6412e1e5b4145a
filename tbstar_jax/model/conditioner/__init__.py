"""Instruction and source image to context tokens, one file per conditioner."""
