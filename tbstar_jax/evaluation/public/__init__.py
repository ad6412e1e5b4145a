"""Public benchmarks, from copies that the user has: nothing of theirs is shipped.

Reading
  items       a request of any suite, its photos read when they are looked at
  tables      rows of Parquet, Arrow, JSON lines and JSON files, and photos in them
  gedit       GEdit-Bench
  imgedit     ImgEdit-Bench: the basic suite, and UGE, the hard one
  kontext     KontextBench
  kwai        Kwai E-com Bench
  textedit    TextEdit
  paintbench  PaintBench
  read        `read_suite`: one of these by its name

Answering
  export      photos and requests in a folder, so that any system can answer
  outputs     the answers, read
  preference  two systems' answers as pairs for the blind page

Scoring
  rating      named marks from 1 to 5 asked of a judge (Kwai E-com Bench, UGE)
  pixels      PaintBench's measures of pixels
  words       TextEdit's measures of what is written
  compat      the arithmetic of each suite
  report      totals, coverage and tables, as JSON and as text
  score       `score_suite`: a folder of answers to a report

Licences: the Kwai E-com Bench and its judge's texts are CC BY-NC-ND and CC BY-ND, so
they are read where the user keeps them and are neither copied nor translated.
"""
