// Elements, the one tooltip, and plots that are drawn again when their room changes.
// Text only ever enters through text nodes: names come from scenarios and are not trusted.

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function text(x, y, words, classes = '', anchor = 'start') {
  return svg('text', { x, y, class: classes, 'text-anchor': anchor }, String(words));
}

function clipped(words, most) {
  return words.length > most ? words.slice(0, most - 1) + '…' : words;
}

const redraws = [];

// Draws `draw(width) -> element` into `target`, now and whenever its width or the view changes.
function mount(target, draw) {
  let width = 0;
  const redraw = () => {
    if (width > 0) target.replaceChildren(draw(width));
  };
  const fit = () => {
    const now = Math.floor(target.clientWidth);
    if (now === width) return;
    width = now;
    redraw();
  };
  fit();
  new ResizeObserver(fit).observe(target);
  redraws.push(redraw);
}

function redrawAll() {
  tip.hide();
  for (const redraw of redraws) redraw();
}

const tip = (() => {
  const box = element('div', { class: 'tip', role: 'status', hidden: '' });
  document.body.append(box);
  return {
    // rows: [{label, value, slot}]; slot is the number of a series' colour.
    show(clientX, clientY, title, rows) {
      const lines = rows.map(({ label, value, slot }) =>
        element(
          'div',
          { class: 'tip-row' },
          slot === undefined ? null : element('i', { class: `dot s${slot}` }),
          element('span', {}, label),
          element('b', {}, value),
        ),
      );
      box.replaceChildren(element('div', { class: 'tip-title' }, title), ...lines);
      box.hidden = false;
      const { width, height } = box.getBoundingClientRect();
      const left = clientX + 16 + width > innerWidth ? clientX - 16 - width : clientX + 16;
      box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
      box.style.top = `${Math.max(8, Math.min(clientY - height / 2, innerHeight - height - 8))}px`;
    },
    hide() {
      box.hidden = true;
    },
  };
})();

// Calls `at(x, y)` with the place of the pointer inside `node`, and `leave()` when it goes.
function hovering(node, at, leave) {
  const moved = (event) => {
    const box = node.getBoundingClientRect();
    at(event.clientX - box.left, event.clientY - box.top, event);
  };
  node.addEventListener('pointermove', moved);
  node.addEventListener('pointerdown', moved);
  node.addEventListener('pointerleave', () => {
    leave();
    tip.hide();
  });
}

// A tooltip over a small shape.
function explained(node, title, rows) {
  node.addEventListener('pointermove', (event) => tip.show(event.clientX, event.clientY, title, rows));
  node.addEventListener('pointerleave', () => tip.hide());
  return node;
}
