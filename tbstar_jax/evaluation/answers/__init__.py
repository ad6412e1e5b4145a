"""Where the pictures that are scored come from.

answer      what a system is, and the loop that asks it for what is not there yet
folder      pictures that somebody else made
endpoint    a server that edits
checkpoint  our own models
"""
