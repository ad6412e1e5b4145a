"""A page as a parser sees it."""

import html.parser


class Page(html.parser.HTMLParser):
    """What tests ask about.

    Attributes:
      tags: every element's name and attributes, in order.
      text: all that is shown, styles left out.
      numbers: key to exact value and shown text, of every `data` element.
      cells: rows of cells of each table by its caption.
    """

    def __init__(self, page):
        """Parses a page."""
        super().__init__()
        self.tags, self.numbers, self.cells = [], {}, {}
        self.text = ""
        self._open, self._data, self._rows = [], None, None
        self._caption = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag not in ("meta", "br", "img"):
            self._open.append(tag)
        if tag == "data":
            self._data = (values["data-key"], values["value"], "")
        if tag == "table":
            self._rows = []
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "data":
            key, value, text = self._data
            exact = (float(value), text)
            assert self.numbers.setdefault(key, exact)[0] == exact[0], key
            self._data = None
        if tag == "table":
            self.cells[self._caption] = self._rows
            self._rows = None

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            return
        self.text += data
        if self._data is not None:
            self._data = (*self._data[:2], self._data[2] + data)
        if "caption" in self._open:
            self._caption += data
        elif self._rows and self._rows[-1] and {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data

    def ids(self):
        """Ids of all elements."""
        return [values["id"] for _, values in self.tags if "id" in values]
