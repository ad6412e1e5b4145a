"""The parser of this folder's commands."""

import argparse
from typing import NoReturn

from tbstar_jax.errors import UserError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raises that sentence as a `UserError`."""
        raise UserError(f"{message}; see `{self.prog} --help`")
