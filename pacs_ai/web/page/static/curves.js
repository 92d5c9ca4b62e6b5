// Throughput and latency of the last hours, drawn with uPlot and renewed while the page is seen.
"use strict";

const RENEWED_MILLISECONDS = 15000;
const THROUGHPUT = [["images", "Images", "--curve-1"], ["studies", "Studies", "--curve-2"],
  ["analyses", "Analyses", "--curve-3"], ["results", "Results", "--curve-4"]];
const LATENCY = [["p50", "half of the studies", "--curve-1"], ["p95", "95 % of the studies", "--curve-4"]];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(width, curves, unit) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
  const written = (plot, value) => value == null ? "–" : `${Number(value.toPrecision(3))}${unit}`;
  return {
    width, height: 200, cursor: { y: false },
    series: [{ label: "Time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" }, ...curves.map(([, label, name], place) => ({
      label, stroke: colour(name), width: 2, dash: place % 2 ? [6, 3] : [], spanGaps: true,
      value: written, points: { show: curves === LATENCY },
    }))],
    axes: [{ ...axis, values: [[60, "{HH}:{mm}", null, null, null, null, null, null, 1]] }, { ...axis, size: 60, values: (plot, marks) => marks.map(mark => `${mark}${unit}`) }],
    scales: { y: { range: (plot, low, high) => [0, Math.max(1, (high ?? 0) * 1.05)] } },
  };
}

function sum(column) {
  return column.slice(-60).reduce((total, one) => total + (one ?? 0), 0);
}

class Curve {
  constructor(place, curves, unit) {
    [this.place, this.curves, this.unit] = [place, curves, unit];
    new ResizeObserver(() => this.plot?.setSize({ width: place.clientWidth, height: 200 })).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(this.figures, true));
  }

  draw(figures, anew = false) {
    this.figures = figures;
    const columns = [figures.time, ...this.curves.map(([name]) => figures[name])];
    if (this.plot && !anew) return this.plot.setData(columns);
    this.plot?.destroy();
    this.plot = new uPlot(options(this.place.clientWidth, this.curves, this.unit), columns, this.place);
  }
}

const curves = [
  new Curve(document.getElementById("c-throughput"), THROUGHPUT, ""),
  new Curve(document.getElementById("c-latency"), LATENCY, " s"),
];

async function renew() {
  if (document.hidden) return;
  const answer = await fetch("/curves").catch(() => null);
  if (!answer?.ok) return;
  const figures = await answer.json();
  for (const one of curves) one.draw(figures);
  const times = figures.p50.filter(one => one != null);
  const last = times.length ? ` Of the studies of the last minute with a report, half had it ${Number(times.at(-1).toPrecision(3))} s after the last image.` : "";
  document.getElementById("c-said").textContent = `In the last hour: ${sum(figures.images)} images, `
    + `${sum(figures.studies)} studies complete, ${sum(figures.analyses)} analyses, ${sum(figures.results)} results delivered.${last}`
    + ` Times are those of this browser (${Intl.DateTimeFormat().resolvedOptions().timeZone}).`;
}

// A page that is left open must not go on saying that nothing is wrong.
const stale = hidden => () => { document.getElementById("stale").hidden = hidden; };
for (const event of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(event, stale(false));
document.addEventListener("htmx:afterSwap", stale(true));

renew();
setInterval(renew, RENEWED_MILLISECONDS);
document.addEventListener("visibilitychange", renew);
