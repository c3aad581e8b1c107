// Final scores: a row a node (what it reaches alone beside what it reaches together), or ranks where there are too many.

function nodesPlot(width, final, measure) {
  const kind = measure.percent ? 'percent' : 'plain';
  return final.rows ? nodeRows(width, final, measure, kind) : nodeRanks(width, final, measure, kind);
}

function nodeRows(width, final, measure, kind) {
  const pitch = Math.max(17, Math.min(34, 480 / final.node.length));
  const longest = Math.max(...final.name.map((name) => Math.min(name.length, 18)));
  const plot = { left: Math.max(44, 18 + 7 * longest), right: width - 64, top: 26, bottom: 26 + pitch * final.node.length };
  const height = plot.bottom + 42;
  const words = `Final ${measure.label} of ${final.node.length} nodes, from ${written(final.value[0], kind)} to ${written(final.value.at(-1), kind)}`;
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot-svg', role: 'img', 'aria-label': words });
  let [low, high] = extent([final.value, final.local, [final.centralized]]);
  const room = (high - low || 0.1) * 0.06;
  [low, high] = kind === 'percent' ? [Math.max(0, low - room), Math.min(1, high + room)] : [low - room, high + room];
  const across = scale(low, high, plot.left, plot.right);
  for (const { at, label } of ticks(low, high, (plot.right - plot.left) / 80, kind)) {
    root.append(svg('line', { x1: across(at), x2: across(at), y1: plot.top - 6, y2: plot.bottom, class: 'grid' }));
    root.append(text(across(at), plot.bottom + 18, label, 'axis-text', 'middle'));
  }
  root.append(text((plot.left + plot.right) / 2, plot.bottom + 36, measure.label, 'axis-label', 'middle'));
  if (final.centralized !== null) {
    const at = across(final.centralized);
    root.append(svg('line', { x1: at, x2: at, y1: plot.top - 6, y2: plot.bottom, class: `mark s${slotOf('centralized')}`, 'stroke-dasharray': '7 4' }));
    root.append(text(at, plot.top - 12, 'centralized', `end-label s${slotOf('centralized')}`, at > plot.right - 40 ? 'end' : 'middle'));
  }
  final.node.forEach((node, i) => root.append(nodeRow(final, i, plot, plot.top + (i + 0.5) * pitch, pitch, across, kind)));
  return root;
}

function nodeRow(final, i, plot, y, pitch, across, kind) {
  const [value, alone] = [final.value[i], final.local?.[i] ?? null];
  const row = svg('g', {}, svg('rect', { x: 0, y: y - pitch / 2, width: plot.right + 64, height: pitch, class: 'hit' }));
  row.append(text(plot.left - 14, y + 4, clipped(final.name[i], 18), 'axis-text', 'end'));
  if (alone !== null && value !== null) row.append(svg('line', { x1: across(alone), x2: across(value), y1: y, y2: y, class: 'gain' }));
  if (alone !== null) row.append(svg('circle', { cx: across(alone), cy: y, r: 4, class: `ring s${slotOf('local')}` }));
  if (value !== null) row.append(svg('circle', { cx: across(value), cy: y, r: 5, class: 'spot s0' }));
  row.append(text(plot.right + 12, y + 4, written(value, kind), 'end-label s0'));
  const rows = [{ slot: 0, label: 'in the federation', value: written(value, kind) }];
  if (alone !== null) rows.push({ slot: slotOf('local'), label: 'alone', value: written(alone, kind) });
  return explained(row, `Node ${final.name[i]}`, rows);
}

function nodeRanks(width, final, measure, kind) {
  const series = [{ slot: 0, label: 'in the federation', x: final.rank, middle: final.value }];
  if (final.local) series.push({ slot: slotOf('local'), label: 'the same node alone', x: final.rank, middle: final.local, dots: true });
  const marks = final.centralized === null ? [] : [{ at: final.centralized, slot: slotOf('centralized') }];
  return linesPlot(width, {
    height: width < 480 ? 300 : 500,
    x: { kind: 'count', label: 'nodes, best first' },
    y: { kind, marks },
    series,
    words: `Final ${measure.label} of ${final.total} nodes, sorted: from ${written(final.value[0], kind)} to ${written(final.value.at(-1), kind)}`,
    titled: (one, i) => `Node ${final.name[i]}, rank ${grouped(final.rank[i])}`,
  });
}
