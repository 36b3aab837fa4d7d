// A button with data-a and data-b shows these maps over the photographs it names: while the pointer
// is over it or it has the focus, and for good once it is chosen.
(() => {
  let pinned = document.querySelector('button[aria-pressed=true]');
  const status = document.getElementById('shown');
  const idle = status ? status.dataset.idle : '';

  function show(button) {
    for (const map of document.querySelectorAll('.map')) {
      map.hidden = true;
      map.parentNode.classList.remove('muted');
    }
    if (button) {
      for (const side of ['a', 'b']) {
        const map = document.getElementById(button.dataset[side + 'On']);
        map.src = button.dataset[side];
        map.alt = 'attention map of ' + button.dataset.words;
        map.hidden = false;
        map.parentNode.classList.add('muted');
      }
    }
    if (status) status.textContent = button ? button.dataset.words : idle;
  }

  for (const button of document.querySelectorAll('button[data-a]')) {
    for (const event of ['mouseenter', 'focus']) button.addEventListener(event, () => show(button));
    for (const event of ['mouseleave', 'blur']) button.addEventListener(event, () => show(pinned));
    button.addEventListener('click', () => {
      if (pinned) pinned.setAttribute('aria-pressed', 'false');
      pinned = pinned === button ? null : button;
      if (pinned) pinned.setAttribute('aria-pressed', 'true');
      show(pinned);
    });
  }
})();
