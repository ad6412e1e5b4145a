"""Training: what is trained, one step of it, and the loop around the step.

Read in this order:

- `freeze`: which leaves a stage trains, the rest frozen.
- `optimizer`: learning-rate schedule, AdamW, moving average.
- `step`: the train step, a pure function.
- `train_config`: the configuration of a run.
- `initialise`: where the weights come from.
- `loop`: the loop, its interruptions and its logs.
- `logging`, `preview`, `throughput`: what the loop writes.
"""
