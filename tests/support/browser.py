"""The headless browser that pages are opened in."""

import shutil

NAMES = ("chromium", "google-chrome", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NO_BROWSER = f"no browser: none of {', '.join(NAMES)} is installed"
