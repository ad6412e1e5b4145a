"""Training: what is trained, one step of it, and the loop around the step.

Read in this order:

- `freeze`: which leaves a stage trains, the rest frozen.
- `optimizer`: learning-rate schedule, AdamW, moving average.
- `step`: the train step, a pure function.
- `train_config`: the configuration of a run.
- `initialise`: where the weights come from.
- `loop`: the loop around the step; `interrupt`: how it stops when told to.
- `logging`, `preview`, `throughput`: what the loop writes.
- `autoencoder`, `reconstruction`: loss and objective of a VAE trained from scratch.
- `pretrain`, `pretrain_evaluation`: a base from nothing, in two phases.
"""
