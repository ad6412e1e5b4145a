"""Editing photos.

pipeline                       edits one photo, with further ones beside it
editor                         its compiled core, for batches
loaded_model qwen_reader       a checkpoint ready to run; contexts from Qwen2.5-VL
text_to_image                  what a base draws without a source
composite                      the edit over the original pixels
image_file image_decode color_profile    photos opened and saved
cli cli_arguments              the command `tbstar-edit`
"""
