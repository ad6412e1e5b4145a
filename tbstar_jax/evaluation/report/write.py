"""A report on disk: one page that needs nothing else, and its figures as PNG files."""

from pathlib import Path

from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.report.album import Album
from tbstar_jax.evaluation.report.content import Absent, ReportContent
from tbstar_jax.evaluation.report.figures import figures
from tbstar_jax.evaluation.report.page import report_html
from tbstar_jax.evaluation.report.raster import raster
from tbstar_jax.input_pipeline.images import encode_png

PAGE = "report.html"
FIGURES = "figures"


def write_report(content: ReportContent, folder: Path) -> None:
    """Writes `report.html` and `figures/<name>.png`, replacing those of before.

    Each file is whole or not there. Figures that this report has not are taken away,
    so that none of an earlier run is left beside it.

    Args:
      content: of the report.
      folder: made where absent.
    """
    drawings = figures(content)
    page = report_html(content, drawings, Album())
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    for name, drawing in drawings.items():
        path = folder / FIGURES / f"{name}.png"
        if isinstance(drawing, Absent):
            path.unlink(missing_ok=True)
        else:
            write_whole(path, encode_png(raster(drawing)))
    # A judge's reply may hold half of a surrogate pair, which has no encoding.
    write_whole(folder / PAGE, page.encode("utf-8", "replace"))
