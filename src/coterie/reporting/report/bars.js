// One value per round (or per rank) as columns that touch the ground; as an area where there are too many to tell apart.

function columnsPlot(width, { height, x, values, kind, label, words, titled, rows, slot = 0 }) {
  const plot = { left: 58, right: width - 10, top: 12, bottom: height - 42 };
  const high = Math.max(...values.map((value) => value ?? 0), 0);
  if (!values.length || high === 0) return nothing(width, height);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot-svg', role: 'img', 'aria-label': words });
  const up = scale(0, high * 1.05, plot.bottom, plot.top);
  const pitch = (plot.right - plot.left) / values.length;
  const middle = (i) => plot.left + (i + 0.5) * pitch;
  const ground = scale(0, values.length - 1, middle(0), middle(values.length - 1));
  drawAxes(root, plot, { kind: 'count', label, domain: null }, { kind }, axisOver(x, plot, ground, up, high, width));
  if (pitch >= 4) {
    const bars = svg('g', { class: `s${slot}` });
    values.forEach((value, i) => {
      const thick = Math.min(34, pitch * 0.72);
      bars.append(svg('rect', { x: middle(i) - thick / 2, y: up(value ?? 0), width: thick, height: plot.bottom - up(value ?? 0), rx: Math.min(2, thick / 4), class: 'bar' }));
    });
    root.append(bars);
  } else {
    const at = values.map((_, i) => i);
    root.append(
      svg('g', { class: `s${slot}` }, svg('path', { d: area(at, values, at.map(() => 0), (i) => middle(i), up), class: 'bar soft' }), svg('path', { d: path(at, values, (i) => middle(i), up), class: 'line' })),
    );
  }
  const glow = svg('rect', { y: plot.top, width: Math.max(pitch, 2), height: plot.bottom - plot.top, class: 'glow', visibility: 'hidden' });
  root.prepend(glow);
  hovering(
    root,
    (px, py, event) => {
      const ratio = width / root.getBoundingClientRect().width;
      const i = Math.max(0, Math.min(values.length - 1, Math.floor((px * ratio - plot.left) / pitch)));
      glow.setAttribute('x', middle(i) - Math.max(pitch, 2) / 2);
      glow.setAttribute('visibility', 'visible');
      tip.show(event.clientX, event.clientY, titled(i), rows(i));
    },
    () => glow.setAttribute('visibility', 'hidden'),
  );
  return root;
}

// Ticks of the ground axis stand at the columns whose number is round.
function axisOver(x, plot, ground, up, high, width) {
  const across = (value) => ground(nearest(x, value));
  return { across, up, xLow: x[0], xHigh: Math.max(x.at(-1), x[0] + 1), yLow: 0, yHigh: high * 1.05, width };
}
