"""The style sheet of a page: light or dark as the reader has it, from a phone to a wide screen, and printed."""

from __future__ import annotations

from typing import Final

from layerdoit.report.palette import DARK, LIGHT, variables

_THEMES: Final = f"""
:root {{ color-scheme: light dark; {variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}
@media print {{ :root {{ color-scheme: light; {variables(LIGHT)} --page: #ffffff; }} }}
"""
_TEXT: Final = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  color: var(--text); background: var(--page); overflow-wrap: anywhere; }
header, main, footer { max-width: 100rem; margin: 0 auto; padding: 0 clamp(1rem, 3vw, 3rem); }
header { padding-top: clamp(1.25rem, 3vw, 2.5rem); }
footer { padding-bottom: 2.5rem; color: var(--soft); font-size: .875rem; }
footer p { max-width: 75ch; }
h1 { font-size: 1rem; font-weight: 600; margin: 0; }
h1 + p { margin: 0; color: var(--soft); font-size: .875rem; }
.headline { font-size: clamp(1.4rem, 1rem + 2vw, 2.5rem); line-height: 1.25; font-weight: 400; margin: 1.1rem 0 1.4rem;
  max-width: 34em; text-wrap: pretty; letter-spacing: -.01em; }
.headline strong { font-weight: 700; white-space: nowrap; }
h2 { font-size: 1.125rem; line-height: 1.35; font-weight: 650; margin: 0 0 .15rem; text-wrap: pretty; }
h3 { font-size: .9375rem; font-weight: 600; margin: 1.4rem 0 0; }
.note, figcaption { color: var(--soft); font-size: .875rem; margin: 0; max-width: 75ch; }
bdi { unicode-bidi: isolate; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
small { font-size: .8125rem; color: var(--soft); font-weight: 400; }
.missing { color: var(--soft); font-size: .875rem; margin: -.4rem 0 1.4rem; }
"""
_BLOCKS: Final = """
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: 1rem; margin: 0; }
.fact, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.fact { padding: .9rem 1.1rem; display: flex; flex-direction: column; }
.fact dt { order: 2; font-weight: 600; font-size: .9375rem; }
.fact dd { margin: 0; } .fact .figure { order: 1; font-size: 1.75rem; line-height: 1.2; font-weight: 700; }
.fact .how { order: 3; color: var(--soft); font-size: .8125rem; margin-top: .3rem; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 32rem), 1fr)); gap: 1rem;
  margin: 1rem auto 1.5rem; grid-auto-flow: dense; }
section { padding: 1.1rem clamp(1rem, 2vw, 1.5rem) 1.2rem; min-width: 0; container-type: inline-size; }
section.wide { grid-column: 1 / -1; }
figure { margin: .4rem 0 0; } figcaption { margin-bottom: .6rem; }
svg { display: block; width: 100%; overflow: visible; }
details { margin-top: .9rem; } summary { cursor: pointer; font-size: .875rem; color: var(--soft); width: fit-content; }
.table { overflow-x: auto; margin-top: .6rem; } .table + .note, details .note { margin-top: .6rem; }
.table:focus-visible, summary:focus-visible { outline: 2px solid var(--ours); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; min-width: 100%; }
caption, .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
th, td { text-align: left; padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; white-space: nowrap; font-weight: 400; }
thead th { color: var(--soft); font-size: .8125rem; vertical-align: bottom; }
th:last-child, td:last-child { padding-right: 0; } tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; } .words { white-space: normal; overflow-wrap: anywhere; min-width: 11rem; }
ul.plain { margin: .5rem 0 0; padding-left: 1.2rem; font-size: .9375rem; }
.goals { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: .9rem 1.5rem;
  margin: .7rem 0 0; padding: 0; list-style: none; }
.goals li { border-left: 3px solid var(--line); padding-left: .75rem; }
.goals li.missed { border-color: var(--failed); }
.goals b { display: block; font-size: 1.25rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.goals small { display: block; }
.verdict.met::before { content: "✓ "; } .verdict.missed::before { content: "✗ "; }
.verdict.missed { color: var(--failed); font-weight: 600; }
"""
_CHARTS: Final = """
.row { display: grid; grid-template-columns: minmax(0, 12.5rem) minmax(0, 1fr) 7.25rem; column-gap: 1rem;
  grid-template-areas: "name plot value"; align-items: center; min-height: 2.25rem; font-size: .9375rem; }
.short .row { grid-template-columns: minmax(0, 5.5rem) minmax(0, 1fr) 7.25rem; }
.row + .row { border-top: 1px solid var(--line); }
.row.axis { border-top: 1px solid var(--line); min-height: 0; }
.name { grid-area: name; line-height: 1.3; padding: .3rem 0; } .name small { display: block; line-height: 1.3; }
.value { grid-area: value; text-align: right; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3;
  overflow-wrap: normal; } .value small { display: block; line-height: 1.3; }
.plot { grid-area: plot; height: 2.25rem; } .axis .plot { height: 1.5rem; } .plot.low { height: 1.6rem; }
.tall { height: clamp(11rem, 26cqi, 17rem); }
.framed { display: grid; grid-template-columns: 2.9rem minmax(0, 1fr); }
.dates { grid-column: 2; display: flex; justify-content: space-between; font-size: .8125rem; color: var(--soft);
  padding-top: .3rem; }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .start { text-anchor: start; } svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
.grid { stroke: var(--line); stroke-width: 1; }
.fill { fill: var(--c); } .stroke { stroke: var(--c); stroke-width: 2; fill: none; vector-effect: non-scaling-stroke;
  stroke-linejoin: round; }
.run { fill: var(--c); fill-opacity: .4; } .median { stroke: var(--text); stroke-width: 3; stroke-linecap: round; }
.spread { stroke: var(--text); stroke-width: 1.5; } .segment { stroke: var(--card); stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .8125rem; color: var(--soft);
  margin-top: .6rem; }
.legend span { white-space: nowrap; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: var(--c); margin-right: .4em; }
.ours { --c: var(--ours); } .others { --c: var(--others); } .reused { --c: var(--reused); }
.pulled { --c: var(--pulled); } .built { --c: var(--built); } .failed { --c: var(--failed); }
.value.wrong { color: var(--failed); } .row .us { font-weight: 700; }
.groups { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 3rem; }
.groups { margin-top: .6rem; } .groups h3 { margin-top: .6rem; }
.said { font-weight: 400; color: var(--soft); white-space: nowrap; }
.groups > div { container-type: inline-size; min-width: 0; }
@container (max-width: 56rem) {
  th, td { white-space: normal; padding-right: .7rem; } td.number { white-space: nowrap; } .words { min-width: 7rem; }
}
@container (max-width: 36rem) {
  .row, .short .row { grid-template-columns: minmax(0, 1fr) auto; grid-template-areas: "name value" "plot plot";
    column-gap: .8rem; padding: .35rem 0; }
  .row.axis { padding: 0; }
  .name, .value { padding: 0; align-self: end; } .name small, .value small { display: inline; margin-left: .35em; }
  .name small.long { display: block; margin: 0; } .plot { height: 1.6rem; } .plot.low { height: 1.2rem; }
}
@container (max-width: 30rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr { display: block; } tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  tbody th, td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0;
    white-space: normal; text-align: right; overflow-wrap: anywhere; } tbody th { text-align: left; font-weight: 600; }
  .dates span:nth-child(2):not(:last-child) { display: none; }
  td::before { content: attr(data-label); color: var(--soft); white-space: nowrap; }
}
"""
_PRINT: Final = """
@media print {
  body { font-size: 10pt; } header, main, footer { max-width: none; padding: 0; } main { display: block; }
  section, .fact { border: 0; padding: 0; break-inside: auto; margin: 0 0 1.4rem; } .facts { gap: 1.5rem; }
  figure, tr, .row, .fact { break-inside: avoid; } h2, h3, .note, figcaption, thead { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  summary { display: none; } .table { overflow: visible; } table { font-size: 8.5pt; }
  th, td { white-space: normal; padding-right: .6rem; } td.number { white-space: nowrap; } .words { min-width: 0; }
}
"""
STYLE: Final = _THEMES + _TEXT + _BLOCKS + _CHARTS + _PRINT
