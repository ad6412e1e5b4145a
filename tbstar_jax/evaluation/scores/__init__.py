"""Scores that need no judge: computed from what a case knows.

record        what is stored of one scored answer
preservation  P: what the edit left alone
editing       E: whether what was asked for is there, by task
prompt        one answer scored: E, P and C = sqrt(E P)
"""
