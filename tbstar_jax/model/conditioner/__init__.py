"""Instruction and source images to context tokens.

byte.py              the conditioner of `tiny` and `small`
qwen25_vl.py         that of the Qwen-Image family: Qwen2.5-VL, and what it reads
qwen25_config.py     its sizes
qwen25_vision.py     its vision tower
qwen25_language.py   its language model
qwen25_layers.py     what the two share
qwen25_processor.py  its host side: instructions and photos to what it reads
qwen25_prompt.py     the prompts and picture sizes of the public pipelines
qwen25_positions.py  windows and positions
qwen25_batch.py      padding to static shapes
"""
