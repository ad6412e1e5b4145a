"""A benchmark run: from answers to a folder of results.

measures      which measures are averaged, what they are called and which way is better
provenance    what was run, on what
scoring       answers to score records, in parallel, resumable
results       score records to means with intervals: results.json, results.csv
head_to_head  every two systems of a report, prompt by prompt
rows          answers with what judges said of them, for other programs: rows.jsonl
"""
