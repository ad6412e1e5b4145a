"""Writes a set of pairs in another trainer's layout: `python -m data.export`.

python -m data.export --records=SET --layout=diffsynth --out=DIR
python -m data.export --mixture=MIXTURE.json --layout=musubi --out=DIR
"""

import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from data.parser import Parser
from data.places import TRAIN
from tbstar_jax.data_engine.annotate import status_of
from tbstar_jax.data_engine.export import Layout, export_records
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.data_engine.store.mix import mixture_entries
from tbstar_jax.data_engine.store.query import Query, select_rows
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.mixtures import open_mixture
from tbstar_jax.input_pipeline.records import EditRecord, RecordSource
from tbstar_jax.input_pipeline.sources import Source


def _parser() -> Parser:
    parser = Parser(
        prog="python -m data.export",
        description="Writes pairs in the layout of another trainer.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--records", type=Path, help="a set; its kept pairs are written")
    what.add_argument("--mixture", type=Path, help="a mixture; all its pairs are")
    add("--split", default=TRAIN, help="%(default)s")
    add("--layout", choices=get_args(Layout), required=True)
    add("--language", choices=("en", "zh"), default="en", help="%(default)s")
    add("--out", type=Path, required=True, help="a directory that is not there yet")
    return parser


def main(argv: Sequence[str]) -> None:
    """Writes the pairs and says how many."""
    options = _parser().parse_args(argv)
    if options.mixture is not None:
        sources = open_mixture(mixture_entries(options.mixture), options.split)
        records = itertools.chain.from_iterable(map(_all, sources))
    else:
        records = _kept(options.records, options.split)
    count = export_records(records, options.out, options.layout, options.language)
    print(f"{count} pairs are in {options.out}.")


def _all(source: Source) -> Iterable[EditRecord]:
    return (source[row] for row in range(len(source)))


def _kept(directory: Path, split: str) -> Iterable[EditRecord]:
    """What the index calls kept; of a set without one, what its records do."""
    source = RecordSource(directory, split)
    try:
        rows = select_rows(read_index(directory), Query()).tolist()
    except UserError:
        return (record for record in _all(source) if status_of(record) == "kept")
    return (source[row] for row in rows)


if __name__ == "__main__":
    sys.exit(run_command(main))
