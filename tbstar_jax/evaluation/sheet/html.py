"""The contact sheet as one page: no scripts, no network, pictures as data URIs.

The bytes of a picture are those of its file. Wide tables scroll sideways inside the
page, so it reads on a phone.
"""

import base64
import mimetypes
from html import escape
from pathlib import Path

from tbstar_jax.evaluation.sheet.contents import (
    ContactSheet,
    ScoreTable,
    SheetColumn,
    ShownEdit,
)
from tbstar_jax.evaluation.sheet.tables import HEADINGS, cells

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;padding:16px;color:#1d1d1f;
background:#fff}
h1{font-size:22px;margin:0 0 8px}h2{font-size:17px;margin:28px 0 8px}
p{margin:4px 0;color:#555}
.wide{overflow-x:auto;-webkit-overflow-scrolling:touch;border:1px solid #ddd;
border-radius:8px}
table{border-collapse:collapse}
th,td{padding:6px 8px;text-align:left;vertical-align:top;border-top:1px solid #eee}
thead th{border-top:0;background:#f5f5f7;white-space:nowrap}
th small,td small{display:block;font-weight:normal;color:#666}
td.ask{min-width:170px;max-width:200px}
.scores td,.scores th{white-space:nowrap}
img{display:block;max-width:none}
.edits{display:flex;flex-wrap:wrap;gap:16px}
figure{margin:0;padding:10px;border:1px solid #ddd;border-radius:8px;max-width:100%;
box-sizing:border-box}
figure div{display:flex;gap:6px}figure div img{height:150px;width:auto;min-width:0}
figcaption{margin-top:6px;max-width:480px}figcaption small{display:block;color:#666}
@media(max-width:560px){figure div img{height:auto;width:32%}}
"""


def sheet_html(sheet: ContactSheet) -> str:
    """Returns the page."""
    edits = "".join(_shown_edit(edit) for edit in sheet.edits)
    notes = "".join(f"<p>{escape(note)}</p>" for note in sheet.notes)
    tables = "".join(_scores(table) for table in sheet.tables)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(sheet.title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(sheet.title)}</h1>{notes}"
        f'<h2>Edits: source, edit, edit mask</h2><div class="edits">{edits}</div>'
        f"<h2>Held-out pairs</h2>{_pairs(sheet)}{tables}</body></html>\n"
    )


def _shown_edit(edit: ShownEdit) -> str:
    pictures = "".join(
        _image(path, f"{edit.title}: {name}")
        for path, name in (
            (edit.source, "source"),
            (edit.edit, "edit"),
            (edit.mask, "edit mask"),
        )
    )
    return (
        f"<figure><div>{pictures}</div><figcaption><b>{escape(edit.instruction)}</b>"
        f"<small>{escape(edit.title)}; {escape(edit.model)}</small>"
        f"<small>{escape(edit.result)}</small></figcaption></figure>"
    )


def _pairs(sheet: ContactSheet) -> str:
    heads = [_heading(sheet.source), "<th>instruction</th>"]
    heads += [_heading(column) for column in sheet.columns]
    lines = []
    for index, row in enumerate(sheet.rows):
        ask = (
            f'<td class="ask"><b>{escape(row.instruction)}</b>'
            f"<small>{escape(row.translation)}</small><small>{escape(row.task)}</small>"
            "</td>"
        )
        pictures = [_cell(column, index, row.task) for column in sheet.columns]
        source = _cell(sheet.source, index, row.task)
        lines.append(f"<tr>{source}{ask}{''.join(pictures)}</tr>")
    return (
        f'<div class="wide"><table><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _heading(column: SheetColumn) -> str:
    return f"<th>{escape(column.title)}<small>{escape(column.note)}</small></th>"


def _cell(column: SheetColumn, index: int, task: str) -> str:
    label = f"{task}: {column.title}, {column.note}"
    return f"<td>{_image(column.pictures[index], label)}</td>"


def _scores(table: ScoreTable) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>"
        for row in cells(table)
    )
    return (
        f"<h2>Scores on held-out pairs: {escape(table.title)}</h2>"
        f'<div class="wide"><table class="scores"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _image(path: Path, label: str) -> str:
    kind = mimetypes.guess_type(path.name)[0]
    assert kind is not None, path
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(label)}" src="data:{kind};base64,{data}">'
