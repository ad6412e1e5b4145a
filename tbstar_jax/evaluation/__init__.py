"""Measuring edits.

consistency, heldout   what training's held-out report and the README's first table say
sheet                  the demo's contact sheet

The benchmark, from the bottom up:

cases        what is asked, with all that is true of the answer
text         texts on known boxes: error rates, prices, overlap of ink
scores       E, P and C of one answer, without a judge
anchors      answers whose place is known
statistics   intervals, paired comparisons, strengths, agreement, power
answers      where pictures come from: our models, a folder, a server
judge        VIEScore and its relatives, by any vision-language model
audit        defects of known order: what a score or a judge notices
preference   a blind page for people, and their votes
public       other benchmarks, from a user's own copy
run          a run's folder, scoring, results
report       results as one HTML page
in_training  the benchmark inside a training run
"""
