// Numbers as people read them, and axes with round ticks. Kinds: percent, plain, bytes, seconds, count.

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

function significant(value, digits = 3) {
  if (value === 0) return '0';
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return places > 6 ? value.toExponential(1) : value.toFixed(Math.min(places, 6));
}

function grouped(value, places = 0) {
  return value.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places });
}

function written(value, kind) {
  if (value === null || value === undefined || Number.isNaN(value)) return '—';
  if (kind === 'percent') return `${(100 * value).toFixed(1)} %`;
  if (kind === 'bytes') {
    const unit = Math.min(SIZES.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3 + 1e-9));
    return unit ? `${significant(value / 1000 ** unit)} ${SIZES[unit]}` : `${Math.round(value)} B`;
  }
  if (kind === 'seconds') {
    if (value >= 5400) return `${significant(value / 3600)} h`;
    if (value >= 90) return `${significant(value / 60)} min`;
    return value > 0 && value < 1 ? `${significant(1000 * value)} ms` : `${significant(value)} s`;
  }
  if (kind === 'count') return grouped(value, Number.isInteger(value) ? 0 : 1);
  return Math.abs(value) >= 1000 ? significant(value) : value.toFixed(3);
}

// The unit of a whole axis: what to divide by, and what to write behind.
function unitOf(most, kind) {
  if (kind === 'percent') return [0.01, ' %'];
  if (kind === 'bytes') {
    const power = Math.min(SIZES.length - 1, most < 1 ? 0 : Math.floor(Math.log10(most) / 3 + 1e-9));
    return [1000 ** power, ` ${SIZES[power]}`];
  }
  if (kind === 'seconds') return most >= 5400 ? [3600, ' h'] : most >= 90 ? [60, ' min'] : most >= 1 ? [1, ' s'] : [0.001, ' ms'];
  return [1, ''];
}

// About `count` round ticks between low and high: [{at, label}].
function ticks(low, high, count, kind) {
  const [unit, suffix] = unitOf(Math.max(Math.abs(low), Math.abs(high)), kind);
  const raw = (high - low) / unit / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const steps = kind === 'count' ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  let step = steps.map((multiple) => multiple * power).find((size) => size >= raw * 0.85);
  if (kind === 'count') step = Math.max(1, step);
  const places = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9) + (Math.abs(step / power - 2.5) < 1e-9 ? 1 : 0)));
  const found = [];
  for (let i = Math.ceil(low / unit / step - 1e-9); i * step <= high / unit + step * 1e-9; i++) {
    found.push({ at: i * step * unit, label: i === 0 ? `0${suffix}` : grouped(i * step, places) + suffix });
  }
  return found;
}

function scale(low, high, from, to) {
  const factor = high > low ? (to - from) / (high - low) : 0;
  return (value) => from + (value - low) * factor;
}

function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list ?? []) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

function nearest(list, value) {
  let best = 0;
  for (let i = 1; i < list.length; i++) {
    if (Math.abs(list[i] - value) < Math.abs(list[best] - value)) best = i;
  }
  return best;
}
