"""The report's style sheet: readable on paper, in light and in dark, at any width."""

CSS = """
:root{--paper:#fff;--card:#f6f8fa;--ink:#24292f;--muted:#57606a;--line:#d0d7de;--good:#1a7f37;--goodbg:#dafbe1;
--bad:#b42318;--badbg:#ffebe9;--warn:#7d4e00;--warnbg:#fff8c5;--accent:#2563c9;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--card:#161b22;--ink:#e6edf3;--muted:#9aa4af;--line:#30363d;
--good:#56d364;--goodbg:#12261a;--bad:#ff938a;--badbg:#2d1416;--warn:#e3b341;--warnbg:#2a2111;--accent:#6ea8fe}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:2rem 1.25rem 4rem}
header p{color:var(--muted);margin:0}header .lead{margin:0 0 .6rem;font-size:1.05rem;color:var(--ink)}
h1{font-size:clamp(1.35rem,3.2vw,1.9rem);line-height:1.2;margin:.3rem 0 .6rem;text-wrap:balance}
h2{font-size:1.15rem;margin:2.6rem 0 .8rem}
.badge{display:inline-block;padding:.15rem .7rem;border-radius:99px;
font-size:.85rem;font-weight:600;margin:0 .4rem .3rem 0}
.good{color:var(--good);background:var(--goodbg)}.bad{color:var(--bad);background:var(--badbg)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.9rem;margin-top:1.4rem}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.9rem 1rem}
.tile h3{margin:0;font-size:.85rem;font-weight:500;color:var(--muted)}
.tile .value{font-size:1.9rem;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.25}
.tile .ends{margin:0;font-size:.78rem;color:var(--muted);font-variant-numeric:tabular-nums;min-height:1.2em}
.purpose{border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem;margin-top:1.2rem}
.purpose dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:0}
.purpose dt{color:var(--muted);white-space:nowrap}.purpose dd{margin:0;overflow-wrap:anywhere}
@media(max-width:480px){.purpose dl{grid-template-columns:1fr;gap:0}.purpose dd{margin-bottom:.5rem}}
ul.plain{padding-left:1.2rem;margin:.2rem 0}
.tile dl{display:grid;grid-template-columns:1fr auto;margin:.3rem 0 0;font-size:.85rem;color:var(--muted)}
.tile dd{margin:0;font-variant-numeric:tabular-nums;text-align:right}
.tile .won{color:var(--good)}.tile .lost{color:var(--bad)}
.warnings{background:var(--warnbg);border:1px solid var(--line);border-left:4px solid var(--warn);border-radius:8px;
padding:.7rem 1rem;margin:1.4rem 0 0}
.warnings h2{margin:0;font-size:1rem;color:var(--warn)}.warnings ul{margin:.3rem 0 0;padding-left:1.2rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1rem}
figure{margin:0;background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:.8rem;align-self:start}
@media(prefers-color-scheme:dark){figure{background:#161b22}}
figure img{width:100%;height:auto;display:block}
figcaption{font-size:.88rem;color:var(--muted);padding:.4rem .3rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th{text-align:left;font-weight:600;color:var(--muted);border-bottom:2px solid var(--line);
padding:.4rem .6rem;white-space:nowrap}
td{border-bottom:1px solid var(--line);padding:.4rem .6rem;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.name{overflow-wrap:anywhere;min-width:8rem}
tr.leak td{background:var(--badbg)}tr.leak td:last-child{color:var(--bad);font-weight:600}
.bar{display:inline-block;height:.55rem;border-radius:3px;background:var(--accent);vertical-align:middle;opacity:.75}
.track{display:inline-block;width:90px;background:var(--line);border-radius:3px;height:.55rem;line-height:0;margin-right:.5rem;text-align:left}
.note{color:var(--muted);font-size:.9rem;margin:.2rem 0 .7rem}
details{margin-top:2.4rem;color:var(--muted);font-size:.9rem}summary{cursor:pointer}
@media print{main{max-width:none;padding:0}figure,.tile{break-inside:avoid}}
"""
