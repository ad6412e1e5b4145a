"""Construction of training data: editing pairs whose right answer is known.

- `templates`: edits as changed scene parameters, with exact masks.
- `instructions`: what a merchant would type, in English and Chinese.
- `captions`: full descriptions of a scene, in English and Chinese.
- `examples`: one example of a data set, ready to be written as a record.
- `render`: the procedural product photos behind them.
"""
