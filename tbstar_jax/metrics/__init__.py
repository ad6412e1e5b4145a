"""Image metrics, and the programs that judges of pictures share.

`color` (CIE Lab, CIEDE2000), `similarity` (masked PSNR, SSIM, shares of pixels, worst
tiles, IoU) compute with the module their arrays come from, numpy or jax; `registration`
(shift and zoom, on `motion_fit` and `resampling`) is numpy and scipy. `ocr` runs
Tesseract; `onnx_model`, `onnx_pair` and `onnx_text` run models in local ONNX files (on
`onnx_file`).
"""
