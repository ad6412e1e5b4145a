"""Product photos in three dimensions, drawn by signed distance fields.

Named `studio` to set it apart from the flat drawings of `render/`.

- `scene`: what stands in the studio: immutable parameters and their digest.
- `materials`, `families`: what things are made of and how they are built.
- `sampling`: random scenes.
- `fields`, `tracing`, `shading`: the renderer's kernels, for NumPy and JAX alike.
- `packing`: parameters to the arrays the kernels read; `labels`: printed texts.
- `renderer`: scenes to images, ids, masks and depth (NumPy float64, the reference).
- `fast`: the same kernels compiled by JAX.
- `blender`: the same scenes by path tracing, in another process.
- `edits`, `pairs`: edits as changed parameters, with exact targets and masks.
- `grammar`: instructions in English and Chinese.
- `stage`: the step of the data engine; `sheet`: one picture of all tasks.
"""
