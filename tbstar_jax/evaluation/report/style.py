"""The looks of a report: one column on a phone, light or dark as the reader likes."""

from tbstar_jax.evaluation.report.drawing import DARK, LIGHT
from tbstar_jax.evaluation.report.svg import style as svg_style

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
"""No script, no network, nothing but what is in the file."""

_RULES = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",
sans-serif;margin:0;color:var(--ink);background:var(--ground)}
main,header,nav{max-width:1200px;margin:0 auto;padding:0 16px}
h1{font-size:24px;line-height:1.25;margin:20px 0 4px;overflow-wrap:anywhere}
.told{color:var(--muted);font-size:13px;overflow-wrap:anywhere}
h2{font-size:19px;margin:0 0 8px}h4{font-size:14px;margin:0}
section{border-top:1px solid var(--rule);padding:20px 0 8px;margin-top:20px}
p{margin:6px 0}.note,small,figcaption,caption{color:var(--muted)}
small,.note,figcaption{font-size:13px}a{color:var(--link)}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;padding:6px 10px;
background:var(--ground);z-index:1}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
nav ul{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;padding:0;
margin:12px 0 0}nav a{display:inline-block;padding:4px 0}
.warning{border:2px solid #cf620c;border-radius:8px;padding:10px 14px;margin:12px 0;
background:var(--band)}.warning h2{font-size:16px;margin:0}.warning ul{margin:4px 0;
padding-left:20px}.warning li{overflow-wrap:anywhere}
.mock{font-weight:600;border-left:4px solid #cf620c;padding-left:10px}
.headline{display:grid;grid-template-columns:repeat(8,1fr);gap:8px;margin:14px 0}
.headline div{background:var(--band);border-radius:8px;padding:8px 10px;min-width:0}
.headline dt{font-size:13px;color:var(--muted)}.headline dd{margin:0}
.headline b{font-size:19px;font-variant-numeric:tabular-nums;white-space:nowrap}
.headline small{display:block;overflow-wrap:anywhere;line-height:1.3}
.wide{overflow-x:auto;border:1px solid var(--rule);border-radius:8px;margin:8px 0;
max-width:100%}.wide svg{display:block;margin:10px;max-width:none}
table{border-collapse:collapse;width:100%}caption{text-align:left;padding:8px 10px;
font-size:13px}caption span{display:inline-block;position:sticky;left:10px;
max-width:min(1140px,calc(100vw - 54px))}
th,td{padding:6px 10px;text-align:left;vertical-align:top;
border-top:1px solid var(--rule);font-weight:400}
thead th{min-width:56px;font-size:13px;color:var(--muted);vertical-align:bottom}
tbody th{font-weight:600;font-size:14px;min-width:164px;max-width:220px;
overflow-wrap:anywhere;position:sticky;left:0;background:var(--ground)}
.anchor th{background:var(--band)}
.best th{font-weight:400;padding-left:24px}
.numbers td{font-variant-numeric:tabular-nums;white-space:nowrap}
.numbers .words{white-space:normal;min-width:210px}
.numbers td small{display:block}.anchor th{font-weight:400;color:var(--muted)}
.anchor{background:var(--band)}.none{color:var(--muted)}
.provenance td,.provenance th{overflow-wrap:anywhere}
.provenance th{font-weight:400;width:220px}.provenance td{min-width:110px}
td small{color:var(--muted)}
.paired small,.diff small{margin-left:6px}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
.part{display:inline-block;margin-right:16px;white-space:nowrap}
.bar{display:inline-block;height:9px;background:#cf620c;border-radius:2px}
.plates{display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start}
.plates .wide{max-width:100%}.plates>.wide table{width:auto}
figure{margin:0}.plate{max-width:100%}
.plate svg{display:block;width:100%;height:auto}
svg text{font-family:inherit}
details{border:1px solid var(--rule);border-radius:8px;margin:8px 0;padding:0 12px}
summary{cursor:pointer;padding:9px 0}details .wide{margin-bottom:12px}
.example{padding:12px 0;border-top:1px solid var(--rule)}
.example small{font-weight:400;overflow-wrap:anywhere}.ask{overflow-wrap:anywhere}
.row{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:10px;
max-width:960px}.five{grid-template-columns:repeat(5,minmax(0,1fr))}
.row img{display:block;width:100%;height:auto;
outline:1px solid var(--rule)}.missing{margin:0;border:1px dashed var(--muted);
padding:24px 8px;text-align:center}
.chips{list-style:none;padding:0;margin:4px 0 10px;display:flex;flex-wrap:wrap;
gap:6px;max-width:560px}.chips li{background:var(--band);border-radius:6px;
padding:2px 8px}.chips small{margin-left:4px}
.reason,.parts{font-size:13px;margin:4px 0;overflow-wrap:anywhere}
figcaption .reason{color:var(--ink)}
.legend{list-style:none;padding:0;margin:6px 0;display:flex;flex-wrap:wrap;
gap:4px 18px;font-size:13px}.swatch{display:inline-block;width:13px;height:13px;
border:1px solid var(--muted);vertical-align:-2px}
footer{margin:28px 0}
@media(max-width:900px){.headline{grid-template-columns:repeat(4,1fr)}}
@media(max-width:560px){.headline{grid-template-columns:repeat(2,1fr)}
.row,.five{grid-template-columns:repeat(2,minmax(0,1fr))}th,td{padding:5px 8px}
.provenance th{width:110px}.provenance tbody th{min-width:96px}
tbody th{min-width:146px;font-size:12px}.best th{padding-left:16px}}
@media print{details{break-inside:avoid}nav{display:none}}
"""


def page_style() -> str:
    """The style sheet."""
    light, dark = (
        ";".join(f"--{role}:{color}" for role, color in {**roles, **links}.items())
        for roles, links in ((LIGHT, {"link": "#1b5fae"}), (DARK, {"link": "#7db4f0"}))
    )
    return (
        f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"{_RULES}{svg_style()}"
    )
