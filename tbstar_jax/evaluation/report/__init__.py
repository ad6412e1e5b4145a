"""The benchmark's report: a page, its figures, and the picture of the README.

content     what a report is made of: `ReportContent`
write       `write_report`: report.html and figures/*.png
headline    `headline_picture`: rows of answers and bars of scores, for a README
error_map   right and wrong pixels, inside the edit and outside

page        sections in their order; head, boards, head_to_head, difference, panels,
            gallery, judged fill them
figures     all figures as drawings; svg shows them in the page, raster as pixels
markup      HTML that escapes whatever is not markup
"""
