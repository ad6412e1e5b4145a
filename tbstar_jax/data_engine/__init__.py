"""Construction of training data: from photos, or from nothing, to filtered edit pairs.

The contracts:

- `stage`: what a stage, a method and a unit of work are.
- `annotate`, `facts`: what is noted about a record, and the words an edit is told in.

The steps, in the order of `python -m data.build`:

- `collect`: foreign sets and folders in; quality, duplicates. `scale`: a pixel budget.
- `construct`: photos become pairs: experts, cut-outs, pictures drawn together.
- `layout`, `studio`: pairs that are exact by construction: cards and overlays in two
  dimensions, products in three. `fonts`: a typeface that prints Chinese.
- `filter`: every pair measured once, decided about by rules.
- `augment`: inverses, compositions, chains, identities, paraphrases.
- `store`: the side index, queries on it, codecs, training mixtures.
- `engine`: runs a stage, exactly once. `export`: other trainers' layouts out.
- `vlm_roles`: a vision-language model as judge of pairs and writer of phrasings.

The sets of the tiny preset: `example_stage`, `examples`, `templates`, `instructions`,
`captions`, `render`.
"""
