"""Image metrics, for numpy and jax arrays alike.

`color` (CIE Lab, CIEDE2000), `similarity` (masked PSNR, SSIM, shares of pixels, worst
tiles, IoU) compute with the module their arrays come from; `registration` (shift and
zoom, on `motion_fit` and `resampling`) is numpy and scipy.
"""
