"""Augmentation: more pairs and more sentences from the pairs there are.

- `invert`: the edit undone, source and target swapped.
- `identity`: a request that already holds.
- `paste_back`: the edit only inside its mask, every other pixel the photo's.
- `compose`: disjoint edits of one photo, at once.
- `chain`: the same edits one after the other.
- `paraphrase`: more ways to say the request.
- `together`: several methods over single records as one.
- `augment_stage`: the stage: single records, then the edits of each photo.
"""
