"""Where arrays and processes live.

mesh: `--mesh=4x2` to a device mesh. distributed: one process per host. sharding: the
table from parameter paths to logical axes to mesh axes.
"""
