"""More ways to say a request, in English and in Chinese.

- `grammar_en`, `grammar_zh`: phrasings by task and manner.
- `slots`: from the facts of an edit to the phrases they fill.
- `counterparts`: what facts are called in the other language.
- `rewrite`: the method that adds phrasings to a record, by grammar or by a model.
- `checks`: what a rewritten text must keep.
- `lexicon`: colours, positions and numbers in both languages.
- `language`: English or Chinese, by script.
"""
