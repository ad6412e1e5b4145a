"""Product photos in three dimensions, drawn by signed distance fields.

Named `studio` to set it apart from the flat drawings of `render/`.

- `scene`: what stands in the studio: immutable parameters and their digest.
- `families`, `materials`: the kinds of things, and what they are made of.
- `shapes`, `builders`: solids and rings, and how each kind is built from them.
- `settings`: the backdrops that scenes are drawn from, and their names.
- `sampling`: random scenes.
- `fields`, `tracing`, `shading`: the renderer's kernels, for NumPy and JAX alike.
- `backdrops`: likewise, how floor and wall meet, and which patterns lie there;
  `patterns` (what they share), `tiles`, `cloths`, `grounds`, `walls`: those patterns.
- `packing`: parameters to the arrays the kernels read; `labels`: texts and logos.
- `samples`: which rays are drawn together, and what scenes share.
- `renderer`: scenes to images, ids, masks and depth.
- `backends`, `fast`: the kernels run by NumPy (float64, the reference), and by JAX.
- `blender`: the same scenes by path tracing, in another process.
- `edits`, `pairs`: edits as changed parameters, with exact targets and masks.
- `words`, `grammar`: names and instructions in English and Chinese.
- `stage`: the step of the data engine; `sheet`: one picture of all tasks.
"""
