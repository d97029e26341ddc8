/**
 * The one stylesheet of the dashboard: a system font, two themes by the person's own setting, from 320 pixels to a wall. Data only.
 */
export const style = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfaf8, #14171c); --card: light-dark(#fff, #1b2027); --ink: light-dark(#1f2328, #e8eaed); --soft: light-dark(#565d66, #a3adb9);
  --line: light-dark(#e3e0da, #303842); --hover: light-dark(#f5f2ed, #222932); --accent: light-dark(#874a14, #e8a565); --on-accent: light-dark(#fff, #14171c);
  --good: light-dark(#1a6b37, #7fd49b); --bad: light-dark(#a3162f, #ff9a9a); --busy: light-dark(#1257a8, #8fc1ff); --wait: light-dark(#75540a, #e6c36c);
  --bar: light-dark(#c58a4f, #b3763b); --bar-bad: light-dark(#c0324b, #f07a86);
}
* { box-sizing: border-box; }
html { scrollbar-gutter: stable; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
a { color: var(--accent); text-underline-offset: .2em; text-decoration-thickness: .06em; }
a:hover { text-decoration-thickness: .12em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .25rem; }
main:focus-visible { outline: none; }
.skip { position: absolute; left: -100vw; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }
.skip:focus { left: .5rem; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: .75rem clamp(1rem, 3vw, 2.5rem); background: var(--card); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; font-size: 1.125rem; color: var(--ink); text-decoration: none; letter-spacing: -.01em; }
.top nav { display: flex; flex-wrap: wrap; gap: .125rem; }
.top nav a { padding: .375rem .75rem; border-radius: .375rem; color: var(--soft); text-decoration: none; }
.top nav a:hover { background: var(--hover); color: var(--ink); }
.top nav a[aria-current] { color: var(--ink); background: var(--hover); font-weight: 600; }
.who { margin-left: auto; color: var(--soft); font-size: .875rem; }
main, footer { max-width: 112rem; margin: 0 auto; padding: 0 clamp(1rem, 3vw, 2.5rem); }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1.5rem; margin: 2rem 0 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.015em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.0625rem; margin: 0 0 .75rem; }
footer { padding-top: 2.5rem; padding-bottom: 2.5rem; color: var(--soft); font-size: .875rem; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; }
.title.inner { margin: 0 0 .75rem; } .title.inner h2 { margin: 0; } h2.second { margin-top: 1.25rem; }
.facts.narrow { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); margin-bottom: .75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .625rem; padding: 1.125rem 1.25rem; margin: 0 0 1.25rem; min-width: 0; }
.grid { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); align-items: start; }
.grid > .card { margin: 0; }
.grid { margin-bottom: 1.25rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: .625rem; overflow: hidden; margin: 0 0 1.25rem; }
.tiles > div { background: var(--card); padding: .875rem 1.25rem; }
.tiles dt { color: var(--soft); font-size: .8125rem; }
.tiles dd { margin: .125rem 0 0; font-size: 1.5rem; font-weight: 600; letter-spacing: -.02em; line-height: 1.3; }
.tiles dd small { display: block; font-size: .8125rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.tiles .alert dd { color: var(--bad); }
.scroll { overflow-x: auto; margin: 0 -1.25rem; padding: 0 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th { text-align: left; font-weight: 500; font-size: .8125rem; color: var(--soft); padding: 0 1rem .5rem 0; white-space: nowrap; }
td { border-top: 1px solid var(--line); padding: .5625rem 1rem .5625rem 0; vertical-align: top; }
tbody tr:hover { background: var(--hover); }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; }
td time, td.nowrap { white-space: nowrap; }
.none, .quiet { color: var(--soft); }
.empty { color: var(--soft); margin: .5rem 0; }
.state { display: inline-block; white-space: nowrap; font-weight: 500; }
.state::before { content: ""; display: inline-block; width: .5em; height: .5em; border-radius: 50%; background: currentColor; margin-right: .45em; vertical-align: .1em; }
.completed, .good { color: var(--good); } .discarded, .bad { color: var(--bad); } .running { color: var(--busy); }
.retryable, .held, .warn { color: var(--wait); } .scheduled, .available, .cancelled { color: var(--soft); }
.cut { display: block; max-width: 34rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
code, pre, .code { font: .8125rem/1.5 ui-monospace, "SF Mono", Menlo, monospace; }
pre { background: var(--hover); border-radius: .375rem; padding: .75rem 1rem; overflow: auto; max-height: 32rem; margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.json { font: .8125rem/1.6 ui-monospace, "SF Mono", Menlo, monospace; overflow-wrap: anywhere; }
.json ul { list-style: none; margin: 0; padding: 0 0 0 1.25rem; border-left: 1px solid var(--line); }
.json li > details { display: inline-block; vertical-align: top; }
.json summary { cursor: pointer; }
.json .key { color: var(--soft); } .json .text { color: var(--good); white-space: pre-wrap; } .json .value { color: var(--busy); } .json .redacted { color: var(--wait); font-style: italic; }
button, .button { font: inherit; font-size: .875rem; line-height: 1.4; padding: .375rem .875rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--card); color: var(--ink); cursor: pointer; text-decoration: none; display: inline-block; min-height: 2rem; }
button:hover, .button:hover { background: var(--hover); border-color: var(--soft); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.danger { background: var(--bad); border-color: var(--bad); color: light-dark(#fff, #14171c); }
input, select { font: inherit; font-size: .875rem; padding: .375rem .625rem; border: 1px solid light-dark(#8c9198, #6d7783); border-radius: .375rem; background: var(--card); color: var(--ink); min-width: 0; min-height: 2rem; }
input[type=checkbox] { width: 1.125rem; height: 1.125rem; min-height: 0; accent-color: var(--accent); margin: 0; vertical-align: -.2em; }
label { font-size: .8125rem; color: var(--soft); display: grid; gap: .25rem; align-content: start; }
.acts { display: flex; flex-wrap: wrap; gap: .5rem; align-items: start; }
.acts form { margin: 0; }
.confirm { position: relative; }
.confirm > summary { list-style: none; font-size: .875rem; line-height: 1.4; padding: .375rem .875rem; min-height: 2rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--card); cursor: pointer; white-space: nowrap; }
.confirm > summary::-webkit-details-marker { display: none; }
.confirm[open] > form { position: absolute; z-index: 1; right: 0; width: max-content; max-width: min(20rem, 80vw); margin-top: .25rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; box-shadow: 0 .5rem 1.5rem rgb(0 0 0 / .18); }
.scroll .confirm[open] > form { position: static; white-space: normal; }
.confirm p { margin: 0 0 .75rem; }
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 11rem), 1fr)); gap: .75rem 1rem; align-items: end; }
.filters .wide { grid-column: span 2; }
.facets { display: flex; flex-wrap: wrap; gap: .375rem; margin: 0 0 1.25rem; padding: 0; list-style: none; }
.facets a { display: inline-flex; gap: .5rem; padding: .3125rem .75rem; border: 1px solid var(--line); border-radius: 2rem; background: var(--card); text-decoration: none; color: inherit; font-size: .875rem; }
.facets a:hover { border-color: var(--soft); }
.facets a[aria-current] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.facets b { font-weight: 600; color: var(--ink); }
.notice { background: var(--card); border: 1px solid var(--line); border-left: .25rem solid var(--good); border-radius: .375rem; padding: .625rem 1rem; margin: 0 0 1.25rem; }
.notice.bad-news { border-left-color: var(--bad); }
.notice.why { border-left-color: var(--wait); }
.notice strong { font-weight: 600; }
.facts { margin: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: .875rem 1.5rem; }
.facts dt { font-size: .8125rem; color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.timeline { list-style: none; margin: 0; padding: 0; }
.timeline li { display: grid; grid-template-columns: 1.25rem minmax(7rem, max-content) 1fr; gap: 0 .75rem; padding: .3125rem 0; align-items: baseline; }
.timeline li::before { content: ""; width: .625rem; height: .625rem; border-radius: 50%; border: 2px solid currentColor; align-self: center; }
.timeline li > span:last-child { color: var(--soft); }
.logs { max-height: 28rem; overflow: auto; margin: 0; padding: 0; list-style: none; font: .8125rem/1.6 ui-monospace, "SF Mono", Menlo, monospace; }
.logs li { display: flex; gap: .75rem; overflow-wrap: anywhere; }
.logs time { color: var(--soft); white-space: nowrap; }
progress, meter { width: 100%; max-width: 24rem; height: .75rem; accent-color: var(--accent); }
.chart { width: 100%; height: auto; display: block; overflow: visible; }
.chart .done { fill: var(--bar); } .chart .failed { fill: var(--bar-bad); } .chart line { stroke: var(--line); } .chart text { fill: var(--soft); font-size: 11px; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; color: var(--soft); font-size: .875rem; margin: .5rem 0 0; }
.legend span::before { content: ""; display: inline-block; width: .75em; height: .75em; border-radius: .15em; margin-right: .4em; background: var(--bar); }
.legend .bad-bar::before { background: var(--bar-bad); }
.sticky { position: sticky; bottom: 0; background: var(--card); padding: .75rem 0; }
.pages { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 0; }
kbd { font: .8125rem ui-monospace, monospace; border: 1px solid var(--line); border-radius: .25rem; padding: .0625rem .375rem; background: var(--hover); }
dialog { border: 1px solid var(--line); border-radius: .625rem; background: var(--card); color: var(--ink); padding: 1.25rem 1.5rem; width: min(30rem, 92vw); }
dialog::backdrop { background: rgb(0 0 0 / .35); }
dialog form { margin-top: 1rem; }
.keys { margin-left: auto; }
@media (max-width: 40rem) { .keys { display: none; } .filters .wide { grid-column: auto; } .timeline li { grid-template-columns: 1.25rem 1fr; } .timeline li > span:last-child { grid-column: 2; } }
@media (min-width: 160rem) { body { font-size: 19px; } }
@media (prefers-reduced-motion: no-preference) { a, button { transition: background-color .12s, border-color .12s; } }
`;
