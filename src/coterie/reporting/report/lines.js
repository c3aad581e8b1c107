// Curves with bands. A series: {slot, label, x, middle, low, high, lower, upper, threads, dots}; only x and middle must be there.

const HATCHES = ['', '7 4', '2 4', '10 3 2 3', '4 2', '1 3', '12 4', '6 2 1 2'];

function linesPlot(width, { height, x, y, series, words, titled }) {
  const plot = { left: 54, right: width - (width < 480 ? 50 : 62), top: 12, bottom: height - 42 };
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot-svg', role: 'img', tabindex: 0, 'aria-label': words });
  const [xLow, xHigh] = x.domain ?? extent(series.map((one) => one.x));
  const [yLow, yHigh] = verticalDomain(series, y);
  if (!(xHigh >= xLow) || !(yHigh >= yLow)) return nothing(width, height);
  const across = scale(xLow, xHigh > xLow ? xHigh : xLow + 1, plot.left, plot.right);
  const up = scale(yLow, yHigh, plot.bottom, plot.top);
  drawAxes(root, plot, x, y, { across, up, xLow, xHigh: xHigh > xLow ? xHigh : xLow + 1, yLow, yHigh, width });
  const clip = `clip-${(linesPlot.count = (linesPlot.count ?? 0) + 1)}`;
  root.append(
    svg('clipPath', { id: clip }, svg('rect', { x: plot.left, y: plot.top - 6, width: plot.right - plot.left + 5, height: plot.bottom - plot.top + 7 })),
  );
  const inside = svg('g', { 'clip-path': `url(#${clip})` });
  root.append(inside);
  for (const one of [...series].reverse()) inside.append(drawSeries(one, across, up, plot));
  labelEnds(root, series, { across, up }, plot, y.kind);
  follow(root, { series, across, up, plot, x, y, titled });
  return root;
}

function nothing(width, height) {
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot-svg' }, text(width / 2, height / 2, 'Nothing was measured', 'axis-text', 'middle'));
}

function verticalDomain(series, y) {
  let [low, high] = extent(series.flatMap((one) => [one.middle, one.low ?? null, one.low ? one.high : null]));
  if (y.floor !== undefined) low = Math.min(y.floor, low);
  if (y.marks) {
    low = Math.min(low, ...y.marks.map((mark) => mark.at));
    high = Math.max(high, ...y.marks.map((mark) => mark.at));
  }
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  const top = y.kind === 'percent' ? Math.min(Math.max(1, high), high + room) : high + room;
  return [y.floor !== undefined && low === y.floor ? low : y.kind === 'percent' ? Math.max(0, low - room) : low - room, top];
}

function drawAxes(root, plot, x, y, { across, up, xLow, xHigh, yLow, yHigh, width }) {
  const axes = svg('g', { 'aria-hidden': 'true' });
  for (const { at, label } of ticks(yLow, yHigh, Math.max(2, (plot.bottom - plot.top) / 52), y.kind)) {
    axes.append(svg('line', { x1: plot.left, x2: plot.right, y1: up(at), y2: up(at), class: 'grid' }));
    axes.append(text(plot.left - 9, up(at) + 4, label, 'axis-text', 'end'));
  }
  for (const { at, label } of ticks(xLow, xHigh, Math.max(2, (plot.right - plot.left) / (x.kind === 'count' ? 70 : 95)), x.kind)) {
    axes.append(svg('line', { x1: across(at), x2: across(at), y1: plot.bottom, y2: plot.bottom + 4, class: 'tick' }));
    axes.append(text(across(at), plot.bottom + 18, label, 'axis-text', 'middle'));
  }
  axes.append(svg('line', { x1: plot.left, x2: plot.right, y1: plot.bottom, y2: plot.bottom, class: 'tick' }));
  axes.append(text((plot.left + plot.right) / 2, plot.bottom + 36, clipped(x.label, Math.floor(width / 6)), 'axis-label', 'middle'));
  for (const mark of y.marks ?? []) {
    axes.append(svg('line', { x1: plot.left, x2: plot.right, y1: up(mark.at), y2: up(mark.at), class: `mark s${mark.slot}` }));
  }
  root.append(axes);
}

function path(xs, ys, across, up) {
  let command = 'M';
  let out = '';
  for (let i = 0; i < xs.length; i++) {
    if (ys[i] === null) continue;
    out += `${command}${across(xs[i]).toFixed(1)} ${up(ys[i]).toFixed(1)}`;
    command = 'L';
  }
  return out;
}

function area(xs, tops, bottoms, across, up) {
  const back = path([...xs].reverse(), [...bottoms].reverse(), across, up);
  return `${path(xs, tops, across, up)}${back.replace('M', 'L')}Z`;
}

// Whether a run moved everything at once: it is then a level, not a curve.
function standsStill(one) {
  const [low, high] = extent([one.x]);
  return one.x.length > 1 && low === high;
}

function drawSeries(one, across, up, plot) {
  const group = svg('g', { class: `s${one.slot}` });
  const hatch = HATCHES[one.slot % HATCHES.length];
  if (standsStill(one)) {
    const last = one.middle.at(-1);
    const [at, level] = [across(one.x.at(-1)), up(last)];
    group.append(svg('line', { x1: at, x2: plot.right, y1: level, y2: level, class: 'line', 'stroke-dasharray': hatch || null }));
    group.append(svg('circle', { cx: at, cy: level, r: 4.5, class: 'spot' }));
    return group;
  }
  if (one.dots) {
    one.x.forEach((at, i) => one.middle[i] !== null && group.append(svg('circle', { cx: across(at), cy: up(one.middle[i]), r: 2.2, class: 'speck' })));
    return group;
  }
  for (const thread of one.threads ?? []) group.append(svg('path', { d: path(one.x, thread, across, up), class: 'thread' }));
  if (one.low) group.append(svg('path', { d: area(one.x, one.high, one.low, across, up), class: 'band' }));
  if (one.lower) group.append(svg('path', { d: area(one.x, one.upper, one.lower, across, up), class: 'band' }));
  group.append(svg('path', { d: path(one.x, one.middle, across, up), class: 'line', 'stroke-dasharray': hatch || null }));
  const end = one.middle.findLastIndex((value) => value !== null);
  if (end >= 0 && across(one.x[end]) < plot.right - 8) group.append(svg('circle', { cx: across(one.x[end]), cy: up(one.middle[end]), r: 4, class: 'spot' }));
  return group;
}

// Writes the last value of every curve beside its end; at the right edge moved apart where they would overlap.
function labelEnds(root, series, { across, up }, plot, kind) {
  const ends = series.filter((one) => !one.dots && one.middle.length && one.middle.at(-1) !== null);
  const labels = ends.map((one) => ({
    slot: one.slot,
    early: !standsStill(one) && across(one.x.at(-1)) < plot.right - 56,
    x: across(one.x.at(-1)) + 9,
    y: up(one.middle.at(-1)) + 4,
    words: written(one.middle.at(-1), kind),
  }));
  const last = labels.filter(({ early }) => !early).sort((a, b) => a.y - b.y);
  for (let i = 1; i < last.length; i++) last[i].y = Math.max(last[i].y, last[i - 1].y + 14);
  for (let i = last.length - 1, most = plot.bottom + 2; i >= 0; i--, most -= 14) last[i].y = Math.min(last[i].y, most);
  for (const { slot, early, x, y, words } of labels) root.append(text(early ? x : plot.right + 8, y, words, `end-label s${slot}`));
}

// A cursor that follows the pointer or the arrow keys and tells all values where it stands.
function follow(root, { series, across, up, plot, x, y, titled }) {
  const cursor = svg('g', { class: 'cursor', visibility: 'hidden' });
  root.append(cursor);
  let index = 0;
  const lead = series.find((one) => one.x.length > 1 && !standsStill(one)) ?? series[0];
  const show = (clientX, clientY) => {
    const at = lead.x[index];
    const dots = series.map((one) => {
      const i = indexAt(one, at);
      const x = standsStill(one) ? at : one.x[i];
      return one.middle[i] === null ? null : svg('circle', { cx: across(x), cy: up(one.middle[i]), r: 4, class: `spot s${one.slot}` });
    });
    cursor.replaceChildren(svg('line', { x1: across(at), x2: across(at), y1: plot.top, y2: plot.bottom, class: 'hair' }), ...dots.filter(Boolean));
    cursor.setAttribute('visibility', 'visible');
    tip.show(clientX, clientY, titled(lead, index), series.map((one) => told(one, indexAt(one, at), y.kind)));
  };
  const hide = () => cursor.setAttribute('visibility', 'hidden');
  hovering(
    root,
    (px, py, event) => {
      const ratio = root.viewBox.baseVal.width / root.getBoundingClientRect().width;
      index = nearest(lead.x.map(across), px * ratio);
      show(event.clientX, event.clientY);
    },
    hide,
  );
  root.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') {
      hide();
      tip.hide();
    }
    if (!step) return;
    event.preventDefault();
    index = Math.max(0, Math.min(lead.x.length - 1, index + step));
    const box = root.getBoundingClientRect();
    show(box.left + (across(lead.x[index]) * box.width) / root.viewBox.baseVal.width, box.top + box.height / 2);
  });
  root.addEventListener('blur', () => {
    hide();
    tip.hide();
  });
}

function indexAt(one, at) {
  return standsStill(one) ? one.x.length - 1 : nearest(one.x, at);
}

function told(one, i, kind) {
  const value = written(one.middle[i], kind);
  const spread = one.low && one.low[i] !== one.high[i];
  return { slot: one.slot, label: one.label, value: spread ? `${value} [${written(one.low[i], kind)} to ${written(one.high[i], kind)}]` : value };
}
