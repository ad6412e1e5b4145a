"""Which licences allow commercial use and changed copies, as SPDX names them."""

_PERMISSIVE = (
    "0bsd",
    "apache-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc0-1.0",
    "cc0",
    "cdla-permissive-1.0",
    "cdla-permissive-2.0",
    "mit",
    "mit-0",
    "own",
    "pddl-1.0",
    "public domain",
    "unlicense",
    "zlib",
)


def allows_commercial_use(licence: str) -> bool:
    """Whether a licence is known to allow commercial use of changed copies.

    Args:
      licence: a record's `licence`: an SPDX id, `public domain`, or `own` for photos
        whose rights the user holds. A join by AND is allowed when all its parts are.

    Returns:
      False for everything else: NC, ND, share-alike (whose terms reach what is derived)
      and `unknown` among it.
    """
    parts = [part.strip(" ()") for part in licence.lower().split(" and ")]
    return all(part in _PERMISSIVE for part in parts)
