"""tbstar_jax: consistency-preserving image editing of product photos in JAX."""

__version__ = "0.1.0"
