"""Commands that train, measure and show: the only code that wires the layers together.

stage1, stage2: the two training stages. pretrain: a base for a preset without public
weights. demo: `make demo`. Each is run as `python -m experiments.<name>`.
"""
