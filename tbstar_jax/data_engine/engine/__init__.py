"""Runs a stage: units in, a record set out, exactly once whatever dies on the way.

- `run`: from a stage to a finished set; what is finished already is kept.
- `unit`: one unit, one shard, one entry of the ledger.
- `ledger`: which units are finished.
- `publish`: from finished units to a set that opens.
- `embedded`: processes of one machine.
- `ray_engine`: the same on Ray Data, for more than one machine and for GPUs.
- `method_stage`: a method, applied to the records of a set.
- `locks`: one run at a time, and none of a killed run's workers beside it.
"""
