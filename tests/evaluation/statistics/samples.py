"""Samples that tests draw or write down."""

import numpy as np

from tbstar_jax.evaluation.statistics.sample import Sample


def sample(rows, tags=()):
    """Rows of (task, case, language, value); prompts are `case/language`."""
    return Sample(
        values=np.array([row[3] for row in rows], np.float64),
        prompts=tuple(f"{row[1]}/{row[2]}" for row in rows),
        cases=tuple(row[1] for row in rows),
        tasks=tuple(row[0] for row in rows),
        languages=tuple(row[2] for row in rows),
        tags=tuple(map(frozenset, tags)) if tags else (frozenset(),) * len(rows),
    )


def benchmark(values):
    """Values `[tasks, cases, 2]`: English and Chinese of each case."""
    return sample(
        [
            (f"task{task:02}", f"task{task:02}/{case:03}", language, value)
            for (task, case, side), value in np.ndenumerate(values)
            for language in [("en", "zh")[side]]
        ]
    )
