"""Image metrics, for numpy and jax arrays alike; and models in local files.

`color` (CIE Lab, CIEDE2000), `similarity` (masked PSNR, SSIM, shares of pixels, IoU)
compute with the module their arrays come from; `registration` (global shift) is numpy.
`onnx_model` runs a model of yours on a picture.
"""
