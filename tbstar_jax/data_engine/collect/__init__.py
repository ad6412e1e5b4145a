"""Bringing photos and pairs in: from what users and public sets have, to records.

Reading order: `source` (what to read), `rows` (what a row is) and one file per format
(`folder_rows`, `jsonl_rows`, `csv_rows`, `parquet_rows`, `tar_rows`, `tfds_rows`, and
`zip_files` for images beside a table), `field_map` (which column is what), `presets`
(the same for public sets), `assemble` (row to record, with `language`, `image_bytes`
and `masks`), `collect_stage` (all of it as a stage). Then `quality` (columns about a
photo) and `dedup` (equal and nearly equal photos, by `phash`, `hash_index` and
`near_hashes`).
"""
