"""Editing photos.

`pipeline` edits one image; `cache` keeps a source's keys and values; `composite` puts
the edit over the original pixels; `image_file` opens and saves photos (`image_decode`
and `color_profile` serve it); `cli` is the command `tbstar-edit`.
"""
