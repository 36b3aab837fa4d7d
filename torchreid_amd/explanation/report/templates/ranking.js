// Why one photograph is above another: the pieces of its distance less those of the other's.
(() => {
  const panel = document.getElementById('why');
  if (!panel) return;
  const MOST = 6;
  const data = JSON.parse(document.getElementById('compared').textContent);
  const near = document.getElementById('near');
  const far = document.getElementById('far');
  const because = document.getElementById('because');
  const list = document.getElementById('differences');

  function number(value) {
    const digits = value ? Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))) : 0;
    return (value > 0 ? '+' : '')
      + value.toFixed(Math.min(digits, 6)).replace('-', '−').replace('.', data.say.point);
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // words of the table, with their placeholders filled
  function say(key, values) {
    return data.say[key].replace(/{(\w+)}/g, (whole, name) => values[name]);
  }

  function listed(words) {
    if (words.length < 2) return words.join('');
    return say('last', { first: words.slice(0, -1).join(data.say.between), last: words[words.length - 1] });
  }

  const bySize = (x, y) => Math.abs(y.by) - Math.abs(x.by);

  // rows that are comparable in any two: parts of the picture where pieces have one, else the pieces
  function differences(a, b) {
    const rows = new Map();
    for (const key of new Set([...Object.keys(a.pieces), ...Object.keys(b.pieces)])) {
      const part = data.parts[key];
      const name = part || data.words[key];
      if (!rows.has(name)) rows.set(name, { words: name, by: 0, named: !key.startsWith('/'), inside: [] });
      const row = rows.get(name);
      const by = (b.pieces[key] || 0) - (a.pieces[key] || 0);
      row.by += by;
      if (part && !key.endsWith('/')) row.inside.push({ words: data.words[key], by });
    }
    return [...rows.values()].sort(bySize);
  }

  function compare() {
    const a = data.cards[near.value - 1];
    const b = data.cards[far.value - 1];
    const apart = b.distance - a.distance;
    const rows = differences(a, b);
    const largest = Math.abs(rows[0].by) || 1;
    const shown = rows.slice(0, MOST).filter((row) => Math.abs(row.by) >= 0.02 * largest);
    const others = rows.filter((row) => !shown.includes(row));
    const rest = others.reduce((sum, row) => sum + row.by, 0);
    if (others.length && Math.abs(rest) >= 0.005 * largest) {
      const words = others.length === 1 ? others[0].words : say('others', { count: others.length });
      shown.push({ words, by: rest });
    }
    const reach = Math.max(...shown.map((row) => Math.abs(row.by))) || 1;
    const main = rows.filter((row) => row.named && row.by > 0 && row.by >= 0.1 * largest).slice(0, 2);
    const things = listed(main.map((row) => row.words));
    const nearer = main.length ? 'nearer_above' : 'nearer';
    because.textContent = apart === 0 ? data.say.equal : say(nearer, { number: number(apart).slice(1), things });
    list.replaceChildren(...shown.map((row) => {
      const item = element('li');
      const track = element('span', 'track');
      const bar = element('b', row.by > 0 ? 'more' : 'less');
      const half = 50 * Math.abs(row.by) / reach;
      bar.style.left = (row.by > 0 ? 50 : 50 - half) + '%';
      bar.style.width = half + '%';
      const zero = element('u');
      zero.style.left = '50%';
      track.append(zero, bar);
      const words = element('span', '', row.words);
      const inside = (row.inside || []).filter((one) => Math.abs(one.by) >= 0.1 * largest).sort(bySize);
      if (inside.length) {
        words.append(element('small', '', inside.map((one) => one.words + ' ' + number(one.by)).join(data.say.between)));
      }
      item.append(words, track, element('span', 'n', number(row.by)));
      return item;
    }));
    for (const card of document.querySelectorAll('.card')) {
      card.classList.toggle('chosen', [near.value, far.value].includes(card.id.slice(1)));
    }
  }

  // the nearer one is always asked about first
  function choose(one, other) {
    near.value = Math.min(one, other);
    far.value = Math.max(one, other);
    compare();
  }

  data.cards.forEach((card, n) => {
    for (const select of [near, far]) {
      const option = element('option', '', say('rank', { rank: n + 1 }));
      option.value = n + 1;
      select.append(option);
    }
  });
  let first = null;
  for (const button of document.querySelectorAll('.compare')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      const rank = Number(button.dataset.rank);
      if (first === null || first === rank) {
        first = first === rank ? null : rank;
        for (const other of document.querySelectorAll('.compare')) {
          other.textContent = first === null || other === button ? data.say.compare : say('with', { rank: first });
        }
        button.setAttribute('aria-pressed', String(first !== null));
      } else {
        choose(first, rank);
        first = null;
        for (const other of document.querySelectorAll('.compare')) {
          other.textContent = data.say.compare;
          other.setAttribute('aria-pressed', 'false');
        }
        panel.scrollIntoView({ block: 'nearest' });
      }
    });
  }
  for (const select of [near, far]) {
    select.addEventListener('change', () => choose(Number(near.value), Number(far.value)));
  }
  panel.hidden = false;
  choose(1, 2);
})();
