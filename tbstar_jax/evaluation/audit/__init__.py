"""Judges audited: does a score see what is wrong with an edit?

The benchmark knows the right edit of every case, so it can spoil it by a known amount.
What a scorer says of the clean and of the spoiled picture tells which defects it sees.

whole    defects of the whole picture: moved, tinted, softened, re-encoded
local    defects in one place: redone, lost, recoloured, added
wording  the right and the wrong text, drawn alike
ladders  all spoiled pictures of a case, and which is certainly better than which
scorers  the project's own scores, plain baselines, and judges behind a name
audit    `run_audit`: detection rates, order, false alarms
table    the result as text and JSON
canary   `canary_ladder`: 48 fixed edits of known order
"""
