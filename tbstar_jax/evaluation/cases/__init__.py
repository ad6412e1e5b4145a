"""The e-commerce cases: what a benchmark asks, with what is true of the answer.

case          one scene: photo, reference, masks, texts, instructions in both languages
make          a case of a split, by task and index
splits        how many cases a split has, and how large
turns         what a case shows because it is its turn
photo_cases   cases on a user's own photographs
store         cases in a folder, written and read
manifest      whether cases are those that numbers were published with
sheet         a picture of one case per task

seeds, vocabulary, retext               random numbers and words, apart from training's
from_studio, from_layout, overlaid      what draws the pictures
spoiled, closeup, shown                 spoiled photos, close-ups, second pictures
hard, harder, stack                     the hard split, several edits at once
draft, parts, regions, kept             masks and boxes
quads, targets, scene_maps              corners, colours, lights and depth in numbers
wording, phrasing, studio_words         instructions,
phrases, phrases_things                 and what they are made of
questions, tags                         checklists and slices
schema, schema_targets, fields, digest  the record of a case,
case_files                              and its pictures
"""
