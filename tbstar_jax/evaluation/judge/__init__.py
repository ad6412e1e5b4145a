"""Edits judged by a vision-language model: VIEScore and its relatives.

Asking
  config      judge.yaml: which model is asked, where, how and in which mode
  modes       what each mode sends
  rubrics     our texts of the questions; `upstream` reads the user's copies of others'
  item        what is judged
  pictures    pictures as they are sent
  questions   the messages of a mode and the reader of their answers
  parse       replies read tolerantly, without inventing a score
  judge       `Judge.judge`: one picture judged
  pairwise    `compare`: two pictures, in both orders

Records
  judgement   what is stored of one judged picture
  run         many jobs in threads, resumed without duplicates
  rejudge     the same pictures judged by another judge, or at another date

Numbers
  viescore    min, square root and means of VIEScore; ImgEdit's means
  summary     a system's scores with coverage and bounds
  pairs       wins, ties, losses and GSB of two systems, and what they cost
  agreement   two files of judgements compared
  canary      a judge that drifts is found out
  mock        scores without a judge, to test what comes after one

What the reference programs do to replies they cannot read is not reproduced, in any
mode: no random number, no middle of the scale, no mean over the lines that remain, no
endless repetition. Such replies have a status instead, and numbers say their coverage.
"""
