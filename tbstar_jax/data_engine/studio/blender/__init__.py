"""The studio's scenes drawn by Blender's Cycles, in a process of its own.

- `meshes`: the studio's shapes as meshes; `request`: scenes as the process reads them.
- `process`: the process, its protocol and its failures.
- `render_scene`: what the process runs; it imports nothing of this package.
- `frames`: frames and editing pairs.
"""
