"""The e-commerce cases: what a benchmark asks, with what is true of the answer.

case        one scene: photo, reference, masks, texts, instructions in both languages
"""
