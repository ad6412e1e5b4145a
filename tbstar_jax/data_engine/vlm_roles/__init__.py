"""A vision-language model as the rewriter and the judge that other steps inject.

- `rewriter`: more phrasings of an instruction, for `augment.paraphrase.rewrite`.
- `pair_judge`: scores of a pair, for `filter.method`.

What writes edit requests is `construct.writers`.
"""
