"""Weights in and out: public checkpoints, weights folders, LoRA files.

Key names and layouts, as data:
    key_map key_map_vl      their names beside our paths
    forms                   how a tensor becomes ours, whole or in part
    parts                   what every part of a model is made of, on disk and as a tree

Files:
    tensor_files foreign    safetensors read lazily; what is no plain weights file
    tensor_writer           safetensors written one tensor at a time
    huggingface placement   trees from tensors, on the host or into shards on devices

Whole models:
    folder                  weights folders
    public published        public checkpoints: found, checked, loaded
    config_vl licence       sizes of the text encoder; the licence of a checkpoint
    cache                   converted arrays under the hash of their files
    exchange __main__       public checkpoint to weights folder and back

LoRA:
    lora_file lora          which file, and its updates
    lora_merge              into the base
    lora_collection         to and from stage-1 modules
"""
