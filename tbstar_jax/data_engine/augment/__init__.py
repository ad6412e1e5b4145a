"""Augmentation: more pairs and more sentences from the pairs there are.

- `invert`: the edit undone, source and target swapped.
- `identity`: a request that already holds.
- `paste_back`: the edit only inside its mask, every other pixel the photo's.
- `compose`: disjoint edits of one photo, at once.
- `chain`: the same edits one after the other.
- `groups`: the stage that finds records of one photo, shard by shard.
- `together`: several of these methods as one.
- `paraphrase`: more ways to say the request.
"""
