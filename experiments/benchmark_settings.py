"""Command lines beside a judge's file: what is a line of the file is no option."""

import argparse
import dataclasses
from collections.abc import Sequence

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.config import JudgeConfig


def parse_beside_judge(
    parser: argparse.ArgumentParser, argv: Sequence[str]
) -> argparse.Namespace:
    """Parses the options of a command that takes `--judge=FILE`.

    Raises:
      UserError: an option that the parser does not know; where it is named like a
        setting of the judge's file, that is said.
    """
    options, rest = parser.parse_known_args(argv)
    settings = {field.name for field in dataclasses.fields(JudgeConfig)}
    for word in rest:
        flag = word.partition("=")[0]
        name = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and name in settings:
            raise UserError(
                f"{flag} is no option: {name} is a line of the judge's file; write it "
                "there"
            )
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options
