// Who holds what: classes by nodes, each cell the share of a node's samples; above it how many samples a node has.

function heatmapPlot(width, held) {
  const longest = Math.max(...held.classes.map((name) => Math.min(name.length, 16)), 3);
  const plot = { left: Math.max(58, 20 + 7 * longest), right: width - 6, top: 84 };
  const across = (plot.right - plot.left) / held.node.length;
  const down = Math.max(5, Math.min(28, 620 / Math.max(held.classes.length, 1)));
  const bottom = plot.top + down * held.classes.length;
  const height = bottom + 44;
  const words = `Samples of ${held.classes.length} classes at ${held.node.length} nodes`;
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot-svg', role: 'img', 'aria-label': words });
  drawSizes(root, held, plot, across);
  const gap = across > 8 && down > 8 ? 1.5 : 0;
  held.counts.forEach((counts, column) => {
    counts.forEach((count, row) => root.append(heatCell(held, column, row, count, plot, across, down, gap)));
  });
  const every = Math.max(1, Math.ceil(14 / down));
  held.classes.forEach((name, row) => {
    if (row % every === 0) root.append(text(plot.left - 8, plot.top + (row + 0.5) * down + 4, clipped(name, 16), 'axis-text', 'end'));
  });
  nameColumns(root, held, plot, across, bottom);
  return root;
}

function heatCell(held, column, row, count, plot, across, down, gap) {
  const share = held.sizes[column] ? count / held.sizes[column] : 0;
  const [x, y] = [plot.left + column * across, plot.top + row * down];
  const cell = svg('g', {}, svg('rect', { x, y, width: across, height: down, class: 'hit' }));
  const box = { x: x + gap / 2, y: y + gap / 2, width: Math.max(0.5, across - gap), height: down - gap, rx: gap };
  cell.append(svg('rect', { ...box, class: 'cell', 'fill-opacity': (share ? 0.06 + 0.94 * Math.min(1, share) : 0.025).toFixed(3) }));
  if (count && across >= 8 + 7 * String(count).length && down >= 15) {
    cell.append(text(x + across / 2, y + down / 2 + 4, count, share > 0.5 ? 'cell-text strong' : 'cell-text', 'middle'));
  }
  return explained(cell, `Node ${held.name[column]}`, [
    { label: `class ${held.classes[row]}`, value: grouped(count) },
    { label: 'share of its samples', value: written(share, 'percent') },
  ]);
}

function drawSizes(root, held, plot, across) {
  const ground = plot.top - 10;
  const most = Math.max(...held.sizes, 1);
  const up = scale(0, most, ground, 22);
  for (const at of [most]) {
    root.append(svg('line', { x1: plot.left, x2: plot.right, y1: up(at), y2: up(at), class: 'grid' }));
    root.append(text(plot.left - 8, up(at) + 4, grouped(at), 'axis-text', 'end'));
  }
  root.append(text(plot.left - 8, ground, 'samples', 'axis-text', 'end'));
  held.sizes.forEach((size, column) => {
    const thick = Math.max(0.5, across - (across > 8 ? 1.5 : 0));
    const bar = svg('g', {}, svg('rect', { x: plot.left + column * across, y: 22, width: across, height: ground - 22, class: 'hit' }));
    bar.append(svg('rect', { x: plot.left + column * across + (across - thick) / 2, y: up(size), width: thick, height: ground - up(size), rx: across > 8 ? 2 : 0, class: 'size-bar' }));
    root.append(explained(bar, `Node ${held.name[column]}`, [{ label: 'samples', value: grouped(size) }]));
  });
}

function nameColumns(root, held, plot, across, bottom) {
  const widest = 7 * Math.max(...held.name.map((name) => Math.min(name.length, 12))) + 8;
  const every = Math.max(1, Math.ceil(widest / across));
  const ordered = held.total === held.node.length;
  held.name.forEach((name, column) => {
    if (ordered && column % every === 0) root.append(text(plot.left + (column + 0.5) * across, bottom + 17, clipped(name, 12), 'axis-text', 'middle'));
  });
  const label = ordered ? 'node' : `${grouped(held.node.length)} of ${grouped(held.total)} nodes, ordered by the class they hold most of`;
  root.append(text((plot.left + plot.right) / 2, bottom + 36, clipped(label, Math.floor((plot.right - plot.left) / 6)), 'axis-label', 'middle'));
}
