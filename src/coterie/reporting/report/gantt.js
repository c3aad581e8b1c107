// Who was busy when: a row a node, time to the right. Filled: trains. Thin: sends. Cross: came too late. Empty: waits.

const DOES = [
  { told: 'trains', slot: 0 },
  { told: 'sends', slot: 1 },
  { told: 'came too late', slot: 3 },
];

function ganttPlot(width, line) {
  const shown = line.views[view.gantt];
  const longest = Math.max(...line.name.map((name) => Math.min(name.length, 14)), 4);
  const plot = { left: 20 + 7 * longest, right: width - 52, top: 30 };
  const down = Math.max(12, Math.min(24, 520 / line.node.length));
  plot.bottom = plot.top + down * line.node.length;
  const across = scale(shown.begin, shown.end, plot.left, plot.right);
  const root = svg('svg', { viewBox: `0 0 ${width} ${plot.bottom + 44}`, class: 'plot-svg', role: 'img', 'aria-label': `When each of ${line.node.length} nodes trained and sent` });
  ganttAxes(root, shown, plot, across);
  line.node.forEach((_, row) => {
    const middle = plot.top + (row + 0.5) * down;
    root.append(svg('line', { x1: plot.left, x2: plot.right, y1: middle, y2: middle, class: 'rest' }));
    root.append(text(plot.left - 9, middle + 4, clipped(line.name[row], 14), 'axis-text', 'end'));
    root.append(text(plot.right + 46, middle + 4, wholePercent(line.train[row]), 'axis-text', 'end'));
  });
  root.append(text(plot.right + 46, plot.top - 10, 'trains', 'axis-text', 'end'));
  ganttFaults(root, line, shown, plot, down, across);
  if (shown.bins) ganttBins(root, line, shown, plot, down, across);
  else ganttStretches(root, line, shown, plot, down, across);
  return root;
}

function ganttFaults(root, line, shown, plot, down, across) {
  for (const [row, told, begin, end] of shown.faults) {
    const x = across(begin);
    const shape = svg('rect', { x, y: plot.top + row * down + 1, width: Math.max(3, across(end) - x), height: down - 2, class: 'fault' });
    explained(shape, `Node ${line.name[row]} ${told}`, [
      { label: 'from', value: written(begin, 'seconds') },
      { label: 'for', value: written(end - begin, 'seconds') },
    ]);
    root.append(shape);
  }
}

function wholePercent(share) {
  return share > 0 && share < 0.005 ? '< 1 %' : `${Math.round(100 * share)} %`;
}

function ganttAxes(root, shown, plot, across) {
  const pitch = (plot.right - plot.left) / Math.max(1, shown.ends.length);
  const every = Math.max(1, Math.ceil(34 / pitch));
  let last = plot.left;
  shown.ends.forEach((at, i) => {
    const x = across(at);
    root.append(svg('line', { x1: x, x2: x, y1: plot.top - 4, y2: plot.bottom, class: 'grid' }));
    if (i % every === 0 && x - last > 14) root.append(text((last + x) / 2, plot.top - 10, shown.rounds[i], 'axis-text', 'middle'));
    last = x;
  });
  root.append(text(plot.left - 9, plot.top - 10, 'round', 'axis-text', 'end'));
  root.append(svg('line', { x1: plot.left, x2: plot.right, y1: plot.bottom, y2: plot.bottom, class: 'tick' }));
  for (const { at, label } of ticks(shown.begin, shown.end, Math.max(2, (plot.right - plot.left) / 100), 'seconds')) {
    root.append(svg('line', { x1: across(at), x2: across(at), y1: plot.bottom, y2: plot.bottom + 4, class: 'tick' }));
    root.append(text(across(at), plot.bottom + 18, label, 'axis-text', 'middle'));
  }
  root.append(text((plot.left + plot.right) / 2, plot.bottom + 36, 'simulated time', 'axis-label', 'middle'));
}

function ganttStretches(root, line, shown, plot, down, across) {
  const order = [...shown.stretches].sort((a, b) => a[0] - b[0]);
  for (const [kind, row, round, begin, end] of order) {
    const middle = plot.top + (row + 0.5) * down;
    const tall = kind === 0 ? down * 0.62 : Math.max(3, down * 0.26);
    const x = across(begin);
    const shape =
      kind === 2
        ? svg('path', { d: `M${x - 4} ${middle - 4}l8 8m0 -8l-8 8`, class: `cut s${DOES[2].slot}` })
        : svg('rect', { x, y: middle - tall / 2, width: Math.max(2, across(end) - x), height: tall, rx: Math.min(2, tall / 4), class: `stretch s${DOES[kind].slot}` });
    explained(shape, `Node ${line.name[row]} ${DOES[kind].told}`, [
      { label: 'round', value: grouped(round + 1) },
      { label: kind === 2 ? 'at' : 'from', value: written(begin, 'seconds') },
      ...(kind === 2 ? [] : [{ label: 'for', value: written(end - begin, 'seconds') }]),
    ]);
    root.append(shape);
  }
}

// Of a long run: the deeper the colour, the larger the share of that part of the time.
function ganttBins(root, line, shown, plot, down, across) {
  const count = shown.bins.train[0]?.length ?? 1;
  const wide = (plot.right - plot.left) / count;
  line.node.forEach((_, row) => {
    const top = plot.top + row * down;
    [['train', 0, 0.1, 0.56], ['send', 1, 0.7, 0.2]].forEach(([kind, slot, from, tall]) => {
      shown.bins[kind][row].forEach((share, bin) => {
        if (!share) return;
        root.append(svg('rect', { x: plot.left + bin * wide, y: top + down * from, width: wide + 0.3, height: down * tall, class: `stretch s${slot}`, 'fill-opacity': (0.15 + 0.85 * share).toFixed(2) }));
      });
    });
    const hit = svg('rect', { x: plot.left, y: top, width: plot.right - plot.left, height: down, class: 'hit' });
    root.append(explained(hit, `Node ${line.name[row]}`, [
      { label: 'trains', value: written(line.train[row], 'percent') },
      { label: 'sends', value: written(line.send[row], 'percent') },
    ]));
  });
}

function ganttLegend(line) {
  const cuts = line.views.some((one) => one.stretches?.some(([kind]) => kind === 2));
  const items = DOES.filter((_, kind) => kind < 2 || cuts).map(({ told, slot }, kind) =>
    element('span', { class: 'legend-item' }, svg('svg', { viewBox: '0 0 22 22', class: `legend-glyph s${slot}`, 'aria-hidden': 'true' },
      kind === 2 ? svg('path', { d: 'M6 6l10 10m0 -10l-10 10', class: 'cut' }) : svg('rect', { x: 2, y: kind ? 8.5 : 5, width: 18, height: kind ? 5 : 12, rx: 2, class: 'stretch' })), told));
  if (line.views.some((one) => one.faults.length))
    items.push(element('span', { class: 'legend-item' }, svg('svg', { viewBox: '0 0 22 22', class: 'legend-glyph', 'aria-hidden': 'true' }, svg('rect', { x: 2, y: 3, width: 18, height: 16, class: 'fault' })), 'meets with a fault'));
  const waits = element('span', { class: 'legend-item' }, svg('svg', { viewBox: '0 0 22 22', class: 'legend-glyph', 'aria-hidden': 'true' }, svg('line', { x1: 2, x2: 20, y1: 11, y2: 11, class: 'rest' })), 'waits');
  return element('div', { class: 'legend' }, ...items, waits);
}
