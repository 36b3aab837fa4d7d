// A button with data-layers lays these over their photographs: while the pointer is over it or it has
// the focus, and for good once it is chosen. Escape takes away what was chosen.
(() => {
  const buttons = [...document.querySelectorAll('button[data-layers]')];
  const status = document.getElementById('shown');
  const where = document.body.dataset.where;
  let pinned = null;
  let shown = [];

  function show(button) {
    for (const layer of shown) {
      layer.hidden = true;
      layer.alt = '';
      layer.parentNode.classList.remove('muted');
    }
    const ids = button ? button.dataset.layers.split(' ') : [];
    shown = ids.map((id) => document.getElementById(id)).filter((layer) => layer);
    for (const layer of shown) {
      layer.hidden = false;
      layer.alt = where.replace('{said}', () => button.dataset.said);
      if (layer.classList.contains('map')) layer.parentNode.classList.add('muted');
    }
    if (status) status.textContent = button ? button.dataset.said : status.dataset.idle;
    const rows = button && button.dataset.rows ? button.dataset.rows.split(' ') : [];
    for (const segment of document.querySelectorAll('.bar [data-row]')) {
      segment.classList.toggle('on', rows.includes(segment.dataset.row));
    }
    for (const bar of document.querySelectorAll('.bar')) {
      bar.classList.toggle('picking', Boolean(bar.querySelector('.on')));
    }
    for (const other of buttons) other.classList.toggle('on', other === button);
  }

  function pin(button) {
    if (pinned) pinned.setAttribute('aria-pressed', 'false');
    pinned = pinned === button ? null : button;
    if (pinned) pinned.setAttribute('aria-pressed', 'true');
    show(pinned);
  }

  for (const button of buttons) {
    for (const event of ['mouseenter', 'focus']) button.addEventListener(event, () => show(button));
    for (const event of ['mouseleave', 'blur']) button.addEventListener(event, () => show(pinned));
    button.addEventListener('click', () => pin(button));
    button.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const there = buttons.filter((other) => other.offsetParent);
      const next = there[there.indexOf(button) + step];
      if (next) next.focus();
      event.preventDefault();
    });
  }
  for (const segment of document.querySelectorAll('.bar [data-row]')) {
    const button = document.getElementById(segment.dataset.row);
    if (!button || !button.dataset.layers) continue;
    segment.addEventListener('mouseenter', () => show(button));
    segment.addEventListener('mouseleave', () => show(pinned));
    segment.addEventListener('click', () => pin(button));
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && pinned) pin(pinned);
  });
})();

// Numbers are copied as they stand in their text area, which a reader can also select by hand.
(() => {
  const button = document.getElementById('copy');
  if (!button) return;
  const said = document.getElementById('copied');
  button.addEventListener('click', async () => {
    const area = document.getElementById(button.dataset.from);
    area.select();
    try {
      await navigator.clipboard.writeText(area.value);
    } catch {
      document.execCommand('copy');
    }
    said.textContent = button.dataset.said;
  });
})();

// On paper everything folded is open.
(() => {
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details:not([open]):not(.numbers)')];
    for (const folded of opened) folded.open = true;
  });
  addEventListener('afterprint', () => {
    for (const folded of opened) folded.open = false;
  });
})();
