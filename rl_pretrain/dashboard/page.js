"use strict";
// Draws the curves, and shows games. All texts of runs enter as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const panels = [...document.querySelectorAll(".panel")];
const hidden = new Set(); // numbers of runs that are switched off
let near = null; // the number of the run that is pointed at in the toolbar
let cursor = null; // a place on the x axis that is pointed at in a panel

const axisName = () => document.getElementById("axis").value;
const isSmooth = () => document.getElementById("smooth").checked;

// ---------------------------------------------------------------- numbers

function short(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) {
    for (const [unit, letter] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"]])
      if (size >= unit && size < 1e18) return `${Number((value / unit).toPrecision(digits))} ${letter}`;
    return value.toExponential(digits - 2);
  }
  return size >= 1000 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(digits)));
}

function isTime(name) { return name === "time" || name.endsWith("seconds"); }

// Seconds are shown in the unit that suits the longest run: its length in seconds, and its name.
function unitOf(name, largest) {
  if (!isTime(name)) return [1, ""];
  return largest > 7200 ? [3600, "h"] : largest > 180 ? [60, "min"] : [1, "s"];
}

function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

// ---------------------------------------------------------------- what is drawn

// The curves of a metric on the chosen axis: run, and points {x, y, low, high}.
function curvesOf(name) {
  return data.runs.flatMap((run, index) => {
    const series = run.series[name], xs = run.axes[axisName()];
    if (!series || !xs || hidden.has(index)) return [];
    const points = series.mean.flatMap((y, i) => y === null || xs[i] === null ? [] : [
      { x: xs[i], y, low: series.low[i] ?? null, high: series.high[i] ?? null },
    ]);
    return points.length ? [{ index, points, isInterval: series.is_interval }] : [];
  });
}

// A mean over neighbours that lags behind nothing: their weights fall like a bell, a fortieth of the curve wide.
function smoothed(points) {
  const width = points.length / 40, reach = Math.ceil(3 * width);
  return points.map((point, i) => {
    let sum = 0, weight = 0;
    for (let j = Math.max(0, i - reach); j <= Math.min(points.length - 1, i + reach); j++) {
      const share = Math.exp(-0.5 * ((j - i) / width) ** 2);
      sum += share * points[j].y;
      weight += share;
    }
    return { ...point, y: sum / weight };
  });
}

function rangeOf(curves) {
  const values = curves.flatMap((curve) => curve.points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]));
  let low = Infinity, high = -Infinity; // values may be too many to be spread as arguments
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low >= 0 && high <= 1 && (high - low > 0.3 || curves.some((curve) => curve.isInterval))) return [0, 1];
  if (low >= 0 && low < 0.4 * high) low = 0;
  else if (low === high) return low ? [Math.min(0, 2 * low), Math.max(0, 2 * low)] : [0, 1];
  const room = 0.04 * (high - low);
  return [low === 0 ? 0 : low - room, high + room];
}

const NAMESPACE = "http://www.w3.org/2000/svg";
function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}

// Eight colours, and from the ninth run on the same with dashes.
function strokeOf(index) {
  const dashes = ["", "7 4", "2 3", "9 3 2 3"][Math.floor(index / 8) % 4];
  return `stroke:var(--run${index % 8})` + (dashes ? `;stroke-dasharray:${dashes}` : "");
}

const awayFrom = (index) => (near !== null && near !== index ? " away" : "");

function drawPanel(panel) {
  const place = panel.querySelector(".plot"), name = data.metrics[panel.dataset.metric];
  const curves = curvesOf(name);
  place.replaceChildren();
  panel.chart = null;
  if (!curves.length) {
    place.textContent = hidden.size === data.runs.length ? "" : "not known on this axis";
    return;
  }
  const [low, high] = rangeOf(curves);
  const xs = curves.flatMap((curve) => [curve.points[0].x, curve.points[curve.points.length - 1].x]);
  const [unit, unitName] = unitOf(axisName(), Math.max(...xs));
  let first = Math.min(...xs), last = Math.max(...xs);
  if (first < 0.3 * last) first = 0;
  if (first === last) { first -= 0.5; last += 0.5; }

  const width = Math.max(place.clientWidth, 200), height = Math.max(place.clientHeight, 120);
  const marks = ticks(low, high, Math.min(8, height / 42));
  const left = 14 + 6.4 * Math.max(...marks.map((mark) => short(mark).length)), right = width - 12;
  const top = 10, bottom = height - 24;
  const toX = (x) => left + (right - left) * (x - first) / (last - first);
  const toY = (y) => bottom - (bottom - top) * (y - low) / (high - low);
  const path = (points, key = "y") => points.map((p) => `${toX(p.x).toFixed(1)} ${toY(p[key]).toFixed(1)}`).join("L");

  const svg = draw(place, "svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMinYMin", role: "img", "aria-label": describe(panel, curves) });
  for (const mark of marks) {
    draw(svg, "line", { class: "grid", x1: left, x2: right, y1: toY(mark), y2: toY(mark) });
    draw(svg, "text", { x: left - 6, y: toY(mark) + 4, "text-anchor": "end" }, short(mark));
  }
  draw(svg, "line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom });
  const steps = ticks(first / unit, last / unit, Math.max(2, (right - left) / 58));
  steps.forEach((mark, i) => {
    const text = short(mark) + (i === steps.length - 1 && unitName ? ` ${unitName}` : "");
    const x = toX(mark * unit), anchor = x > right - 14 ? "end" : "middle";
    draw(svg, "text", { x: anchor === "end" ? right + 6 : x, y: height - 7, "text-anchor": anchor }, text);
  });
  for (const curve of curves) {
    const banded = curve.points.filter((p) => p.low !== null && p.high !== null);
    if (banded.length > 1) {
      const outline = `M${path(banded, "high")}L${path([...banded].reverse(), "low")}Z`;
      draw(svg, "path", { class: "band" + awayFrom(curve.index), d: outline, style: `fill:var(--run${curve.index % 8})` });
    } else for (const p of banded) {
      const d = `M${toX(p.x)} ${toY(p.low)}V${toY(p.high)}`;
      draw(svg, "path", { class: "line" + awayFrom(curve.index), d, style: strokeOf(curve.index) });
    }
  }
  for (const curve of curves) {
    const shown = isSmooth() && !curve.isInterval && curve.points.length >= 20 ? smoothed(curve.points) : curve.points;
    const style = strokeOf(curve.index);
    if (shown !== curve.points) draw(svg, "path", { class: "raw" + awayFrom(curve.index), d: `M${path(curve.points)}`, style });
    if (shown.length > 1) draw(svg, "path", { class: "line" + awayFrom(curve.index), d: `M${path(shown)}`, style });
    for (const p of shown.length <= 24 ? shown : shown.slice(-1))
      draw(svg, "circle", { class: "dot" + awayFrom(curve.index), cx: toX(p.x), cy: toY(p.y), r: 2.6, style: `fill:var(--run${curve.index % 8})` });
  }
  panel.chart = { svg, curves, width, left, right, top, bottom, first, last, toX, toY };
}

function describe(panel, curves) {
  const latest = curves.slice(0, 8).map((curve) => {
    const point = curve.points[curve.points.length - 1];
    return `${data.runs[curve.index].name} ends at ${short(point.y)}`;
  });
  return `${panel.querySelector(".name").textContent} over ${axisName().replaceAll("_", " ")}: ${latest.join(", ")}`;
}

// ---------------------------------------------------------------- pointing at a place

function nearest(points, x) {
  let best = points[0];
  for (const point of points) if (Math.abs(point.x - x) <= Math.abs(best.x - x)) best = point;
  return best;
}

const valueOf = (p, isInterval) => short(p.y) + (isInterval && p.low !== null ? ` [${short(p.low, 3)}, ${short(p.high, 3)}]` : "");

function axisText(x) {
  const [unit, unitName] = unitOf(axisName(), x);
  return unitName ? `${short(x / unit)} ${unitName}` : `${axisName().replaceAll("_", " ")} ${short(x, 8)}`;
}

// The line at the cursor, in all panels; values beside the title, or in a box at the panel that is pointed at.
function drawCursor(panel, isPointedAt) {
  panel.querySelectorAll(".cursor, .at-cursor, .tip").forEach((element) => element.remove());
  const now = panel.querySelector(".now"), chart = panel.chart;
  panel.newest ??= [...now.childNodes]; // as the page came
  now.replaceChildren(...panel.newest);
  if (!chart || cursor === null) return;
  const found = chart.curves.map((curve) => ({ ...curve, point: nearest(curve.points, cursor) }));
  if (data.runs.length === 1) {
    const { point, isInterval } = found[0];
    now.replaceChildren(Object.assign(document.createElement("b"), { textContent: valueOf(point, isInterval) }));
    if (isPointedAt) now.append(` at ${axisText(point.x)}`);
  }
  if (cursor < chart.first || cursor > chart.last) return;
  const x = chart.toX(cursor);
  draw(chart.svg, "line", { class: "cursor", x1: x, x2: x, y1: chart.top, y2: chart.bottom });
  for (const { index, point } of found)
    draw(chart.svg, "circle", { class: "at-cursor", cx: chart.toX(point.x), cy: chart.toY(point.y), r: 3.4, style: `fill:var(--run${index % 8})` });
  if (isPointedAt && data.runs.length > 1) showTip(panel, chart, found, x);
}

function showTip(panel, chart, found, x) {
  const tip = document.createElement("div");
  tip.className = "tip";
  const line = (...parts) => {
    const p = document.createElement("p");
    p.append(...parts);
    return tip.appendChild(p);
  };
  const span = (text) => Object.assign(document.createElement("span"), { textContent: text });
  line(axisText(cursor)).className = "at";
  found.sort((a, b) => b.point.y - a.point.y);
  for (const { index, point, isInterval } of found.slice(0, 14))
    line(swatch(index), span(data.runs[index].name), span(valueOf(point, isInterval)));
  if (found.length > 14) line(`and ${found.length - 14} more`);
  tip.style[x > chart.width / 2 ? "left" : "right"] = "8px"; // on the side where the cursor is not
  panel.append(tip);
}

function swatch(index) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("aria-hidden", "true");
  draw(svg, "line", { x1: 0, x2: 20, y1: 5, y2: 5, style: strokeOf(index) });
  return svg;
}

function point(panel, x) {
  cursor = x;
  for (const each of panels) drawCursor(each, each === panel);
}

for (const panel of panels) {
  const place = panel.querySelector(".plot");
  place.addEventListener("pointermove", (event) => {
    const chart = panel.chart;
    if (!chart) return;
    const box = chart.svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) * chart.width / box.width - chart.left) / (chart.right - chart.left);
    const x = chart.first + Math.min(1, Math.max(0, share)) * (chart.last - chart.first);
    point(panel, nearest(chart.curves.flatMap((curve) => nearest(curve.points, x)), x).x);
  });
  place.addEventListener("pointerleave", () => point(null, null));
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") return point(null, null);
    if (!step || !panel.chart) return;
    event.preventDefault();
    const { points } = panel.chart.curves[0];
    const at = cursor === null ? points.length - 1 : points.indexOf(nearest(points, cursor)) + step;
    point(panel, points[Math.min(points.length - 1, Math.max(0, at))].x);
  });
  panel.addEventListener("blur", () => point(null, null));
}

// ---------------------------------------------------------------- choices

function drawAll() {
  panels.forEach(drawPanel);
  point(null, null);
}

for (const id of ["axis", "smooth"]) document.getElementById(id).addEventListener("change", drawAll);
for (const chip of document.querySelectorAll(".chip")) {
  const index = Number(chip.dataset.run);
  chip.addEventListener("click", () => {
    if (!hidden.delete(index)) hidden.add(index);
    chip.setAttribute("aria-pressed", String(!hidden.has(index)));
    drawAll();
  });
  chip.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "touch") return;
    near = hidden.has(index) ? null : index;
    drawAll();
  });
  chip.addEventListener("pointerleave", () => { near = null; drawAll(); });
}

let lastWidth = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth !== lastWidth) drawAll();
  lastWidth = document.body.clientWidth;
}).observe(document.body);

// ---------------------------------------------------------------- games

// A page of a game runs in a frame that can reach neither this page nor the network.
function showGame(button) {
  const game = data.games[button.dataset.game], viewer = document.querySelector(".viewer");
  const frame = document.createElement(game.kind === "page" ? "iframe" : "img");
  if (game.kind === "page") {
    frame.setAttribute("sandbox", "allow-scripts");
    frame.title = game.title;
    frame.srcdoc = game.content;
  } else {
    frame.alt = game.title;
    frame.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(game.content);
  }
  viewer.replaceChildren(frame);
  for (const other of document.querySelectorAll("[data-game]")) other.setAttribute("aria-pressed", String(other === button));
}

const buttons = [...document.querySelectorAll("[data-game]")];
for (const button of buttons) button.addEventListener("click", () => showGame(button));
if (buttons.length) showGame(buttons[0]);

drawAll();
document.documentElement.dataset.ready = "yes";
