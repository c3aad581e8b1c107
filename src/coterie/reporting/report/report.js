// Puts the plots of one run where the page has room for them.

function roundPlot(field, kind, label, height = 210) {
  return (width) => {
    const { round, stretch } = data.rounds;
    const values = data.rounds[field];
    return columnsPlot(width, {
      height, kind, values, x: round, label: stretch > 1 ? `round (mean of ${stretch} each)` : 'round',
      words: `${label} per round`,
      titled: (i) => `Round ${grouped(round[i])}`,
      rows: (i) => [
        { label, value: written(values[i], kind) },
        ...(field === 'bytes' || field === 'messages' ? [{ label: 'nodes that trained', value: written(data.rounds.trained[i], 'count') }, { label: 'nodes that aggregated', value: written(data.rounds.aggregated[i], 'count') }] : []),
      ],
    });
  };
}

function edgePlot(width) {
  const { total, rank, name, bytes } = data.edges;
  return columnsPlot(width, {
    height: 210, kind: 'bytes', values: bytes, x: rank, slot: 4,
    label: total > rank.length ? `${grouped(rank.length)} of ${grouped(total)} edges, heaviest first` : 'edges, heaviest first',
    words: 'Bytes over each edge',
    titled: (i) => name[i],
    rows: (i) => [{ label: 'both ways', value: written(bytes[i], 'bytes') }],
  });
}

mountCurves();
choices(document.getElementById('finals'), data.nodes.map((final) => data.measures[final.metric].label), (at) => (view.final = at));
if (data.nodes.length) plotInto('nodes', (width) => nodesPlot(width, data.nodes[view.final], data.measures[data.nodes[view.final].metric]));
if (data.graph) {
  plotInto('graph', (width) => graphPlot(width, data.graph, data.measures[data.graph.metric] ?? { label: 'score', percent: false }));
  document.getElementById('roles')?.append(roleLegend(data.graph));
}
if (data.verdicts) {
  plotInto('verdicts', (width) => verdictsPlot(width, data.verdicts));
  document.getElementById('verdicts')?.append(verdictsLegend(data.verdicts));
}
if (data.partition) plotInto('partition', (width) => heatmapPlot(width, data.partition));
if (data.timeline) {
  choices(document.getElementById('strips'), data.timeline.views.map((one) => one.label), (at) => (view.gantt = at));
  plotInto('timeline', (width) => ganttPlot(width, data.timeline));
  document.getElementById('does')?.append(ganttLegend(data.timeline));
}
plotInto('round-bytes', roundPlot('bytes', 'bytes', 'sent'));
plotInto('round-messages', roundPlot('messages', 'count', 'messages'));
plotInto('round-seconds', roundPlot('seconds', 'seconds', 'simulated time'));
plotInto('round-wall', roundPlot('wall', 'seconds', 'real time'));
if (data.edges) plotInto('edge-bytes', edgePlot);
