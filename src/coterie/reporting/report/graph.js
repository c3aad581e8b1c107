// The graph: shapes tell roles, size tells samples, width of a line tells bytes.

const ROLE_WORDS = { trainer: 'trains', aggregator: 'aggregates', proxy: 'forwards', idle: 'rests' };

function graphPlot(width, graph, measure) {
  const side = Math.min(width, 620);
  const large = graph.x.length > 40;
  const margin = large ? 20 : 34;
  const place = (share) => margin + share * (side - 2 * margin);
  const words = `Graph of ${grouped(graph.x.length)} nodes and ${grouped(graph.edges.length)} edges`;
  const root = svg('svg', { viewBox: `0 0 ${side} ${side}`, class: 'plot-svg graph', role: 'img', 'aria-label': words });
  const most = Math.max(...graph.bytes.map((size) => size ?? 0), 1);
  const lines = graph.edges.map(([a, b], i) => {
    const share = graph.bytes[i] === null ? 0.4 : graph.bytes[i] / most;
    const line = svg('line', {
      x1: place(graph.x[a]), y1: place(graph.y[a]), x2: place(graph.x[b]), y2: place(graph.y[b]),
      class: 'edge', 'stroke-width': (large ? 0.6 : 0.8) + (large ? 1.2 : 2.2) * share,
    });
    const rows = graph.bytes[i] === null ? [] : [{ label: 'both ways', value: written(graph.bytes[i], 'bytes') }];
    return explained(line, `${graph.name[a]} ↔ ${graph.name[b]}`, rows);
  });
  root.append(svg('g', {}, ...lines));
  const biggest = Math.max(...graph.samples.map((count) => count ?? 0), 1);
  const [small, big] = large ? [28 / Math.sqrt(graph.x.length) + 0.8, 62 / Math.sqrt(graph.x.length) + 1.6] : [7, 17];
  const shapes = graph.x.map((_, node) => {
    const share = graph.samples[node] === null ? 0.3 : graph.samples[node] / biggest;
    const radius = small + (big - small) * Math.sqrt(share);
    const shape = glyph(graph.roles[node], place(graph.x[node]), place(graph.y[node]), radius);
    shape.addEventListener('pointerenter', () => lightUp(lines, graph, node, true));
    shape.addEventListener('pointerleave', () => lightUp(lines, graph, node, false));
    root.append(explained(shape, `Node ${graph.name[node]}`, nodeFacts(graph, node, measure)));
    return { x: place(graph.x[node]), y: place(graph.y[node]), radius };
  });
  if (!large) root.append(nameNodes(graph, shapes));
  return root;
}

// Names stand in a shape, or below it where that covers neither another shape nor a name that is there already.
function nameNodes(graph, shapes) {
  const taken = shapes.map(({ x, y, radius }) => [x - radius, x + radius, y - radius, y + radius]);
  const names = svg('g', { 'aria-hidden': 'true' });
  shapes.forEach(({ x, y, radius }, node) => {
    const name = clipped(graph.name[node], 14);
    const rests = graph.roles[node].every((role) => role === 'idle');
    if (name.length <= 2 && radius >= 9) {
      names.append(text(x, y + 4, name, rests ? 'node-name' : 'node-name within', 'middle'));
      return;
    }
    const half = 3.2 * name.length;
    const box = [x - half, x + half, y + radius + 4, y + radius + 15];
    if (taken.some(([left, right, top, foot]) => box[0] < right && left < box[1] && box[2] < foot && top < box[3])) return;
    taken.push(box);
    names.append(text(x, y + radius + 13, name, 'node-name', 'middle'));
  });
  return names;
}

function lightUp(lines, graph, node, on) {
  graph.edges.forEach(([a, b], i) => {
    lines[i].classList.toggle('lit', on && (a === node || b === node));
    lines[i].classList.toggle('dim', on && a !== node && b !== node);
  });
}

function nodeFacts(graph, node, measure) {
  const roles = graph.roles[node].map((role) => ROLE_WORDS[role]).join(', ');
  const rows = [{ label: graph.rotates ? 'in round 1' : 'role', value: roles || '—' }, { label: 'neighbours', value: grouped(graph.degree[node]) }];
  if (graph.samples[node] !== null) rows.push({ label: 'samples', value: grouped(graph.samples[node]) });
  if (graph.score[node] !== null) rows.push({ label: measure.label, value: written(graph.score[node], measure.percent ? 'percent' : 'plain') });
  return rows;
}

// Trainer: a disc. Aggregator: a square. Both: a disc in a square. Proxy: a diamond around. Idle: an empty disc.
function glyph(roles, x, y, radius) {
  const has = (role) => roles.includes(role);
  const shape = svg('g', { class: 'glyph' });
  if (has('proxy')) {
    const r = radius * 1.45;
    shape.append(svg('path', { d: `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`, class: has('trainer') || has('aggregator') ? 'role-proxy ring-shape' : 'role-proxy' }));
  }
  if (has('aggregator')) {
    const half = radius * (has('trainer') ? 1.12 : 0.95);
    shape.append(svg('rect', { x: x - half, y: y - half, width: 2 * half, height: 2 * half, rx: radius * 0.28, class: 'role-aggregator' }));
  }
  if (has('trainer')) shape.append(svg('circle', { cx: x, cy: y, r: has('aggregator') ? radius * 0.82 : radius, class: 'role-trainer' }));
  if (!has('trainer') && !has('aggregator') && !has('proxy')) shape.append(svg('circle', { cx: x, cy: y, r: radius * 0.85, class: 'role-idle' }));
  return shape;
}

// The legend names only what there is.
function roleLegend(graph) {
  const kinds = new Map();
  for (const roles of graph.roles) {
    const key = roles.filter((role) => role !== 'idle').join('+') || 'idle';
    kinds.set(key, (kinds.get(key) ?? 0) + 1);
  }
  const items = [...kinds].map(([key, count]) => {
    const icon = svg('svg', { viewBox: '0 0 24 24', class: 'legend-glyph', 'aria-hidden': 'true' }, glyph(key === 'idle' ? ['idle'] : key.split('+'), 12, 12, 7));
    return element('span', { class: 'legend-item' }, icon, `${key.split('+').map((role) => ROLE_WORDS[role]).join(' and ')} (${grouped(count)})`);
  });
  return element('div', { class: 'legend' }, ...items);
}
