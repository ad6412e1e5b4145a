"""The pair filter: measure every pair once, decide as often as one likes.

    measure (method.py)  decodes a pair, registers it, warps it back when due, and
                         notes scores named `filter/...`; needs the extra `data`
    decide (decide.py)   scores -> kept, flagged:<rule>, rejected:<rule>; columns only
    report (report.py)   one page: what each rule caught, with examples
    trial (trial.py)     planted defects: how many are caught, how many false alarms

Nothing is dropped. A score that could not be measured is absent from the record, and
the rule `unmeasurable` says so. Scores, all finite (`region` is what the edit may
change: the declared mask, or an estimate; `outside` is the rest, 8 px away from it):

    filter/aspect_error      |log| of target's over source's aspect ratio
    filter/size_ratio        square root of target's over source's area
    filter/lossless          1 when source and target are stored without loss
    filter/region_declared   1 when the record brings a mask
    filter/region_share      share of the image in the region
    filter/shift_px          global displacement, px, after warping back
    filter/shift_rows, filter/shift_columns   its parts, down and right
    filter/aligned_px        displacement that was undone by warping, 0 when none
    filter/shift_confidence  correlation of the registered pictures, -1 to 1
    filter/zoom              scale of target over source, 1 = none
    filter/zoom_px           what that scale displaces at the middle of the long side
    filter/changed_share     share of the image that visibly differs
    filter/leak_share        share of what is outside a declared mask that differs
    filter/region_change     99th percentile of the difference in the region, levels
    filter/color_mean, filter/color_p95   CIEDE2000 outside, of small cells
    filter/drift_l, filter/drift_a, filter/drift_b   mean signed change outside
    filter/psnr_outside      dB, at most `MAX_PSNR` (identical pixels)
    filter/ssim_outside      structural similarity of the luma
    filter/identical_share   share of pixels outside that are equal; not of warped pairs
    filter/blur_ratio        Laplacian energy of target over source, outside
    filter/text_kept         worst agreement of a text outside the region, 0 to 1
    filter/color_name_error  hue between target's region and the colour asked for, deg
    filter/embedding_similarity   cosine of source and target, of an injected model
    judge/<name>             what an injected judge says
"""
