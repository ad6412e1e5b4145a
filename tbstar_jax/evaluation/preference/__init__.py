"""What people prefer: a blind page for votes, a strict reader, a summary.

study    pairs of edits, and the key that says whose they are
page     writes the page that raters open
votes    reads what they send back
summary  what the votes say
web      the page's HTML, style and script
"""
