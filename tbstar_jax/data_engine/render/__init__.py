"""Deterministic product photos from parameters, in NumPy and Pillow.

- `scene`: the parameters: products, colours, backgrounds, labels, props, watermarks.
- `sampling`: random scenes from named seed spaces.
- `renderer`: parameters to layers to pixels.
- `layers`: shapes with exact coverage, compositing, rounding once.
- `products`, `props`, `backgrounds`, `overlays`, `shading`: how each thing is drawn.
"""
