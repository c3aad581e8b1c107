// How many updates were cut, down-weighted, flagged or left out in each round, on the axis of the scores above.

function verdictsPlot(width, found) {
  return linesPlot(width, {
    height: width < 480 ? 220 : 240,
    x: { kind: 'count', label: 'round', domain: [0, found.last] },
    y: { kind: 'count', floor: 0 },
    series: found.series.map(({ what, count }, slot) => ({ slot, label: what, x: found.round, middle: count })),
    words: `Updates by what became of them, by round: ${found.whats.join(', ')}`,
    titled: (one, i) => `Round ${grouped(one.x[i])}`,
  });
}

function verdictsLegend(found) {
  const items = found.whats.map((what, slot) =>
    element('span', { class: 'legend-item' }, svg('svg', { viewBox: '0 0 30 10', class: `legend-line s${slot}`, 'aria-hidden': 'true' },
      svg('line', { x1: 0, x2: 30, y1: 5, y2: 5, class: 'line', 'stroke-dasharray': HATCHES[slot % 8] || null })), what));
  return element('div', { class: 'legend' }, ...items);
}
