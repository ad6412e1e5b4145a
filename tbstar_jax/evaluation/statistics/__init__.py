"""What a number is worth: intervals, comparisons, rankings, agreement, sample sizes.

sample     one measure, one value per prompt
resample   cases drawn anew, vectorised
strata     cases drawn anew within their strata, and the ends of an interval
bootstrap  intervals of means: macro, micro, per task, language and tag
paired     two languages of a case, two systems on the same prompts
unpaired   one system on two sets of cases: the gap between two splits
gsb        good less bad of two systems, by verdicts
davidson   a ranking from pairwise votes with ties
agreement  Krippendorff's alpha
power      what a preference study of a given size can show
"""
