// One grid of camera pairs is shown: that of the part and kind of pair which is chosen.
(() => {
  const choice = document.getElementById('grid');
  if (!choice) return;
  choice.addEventListener('change', () => {
    for (const grid of document.querySelectorAll('[data-grid]')) {
      grid.hidden = grid.dataset.grid !== choice.value;
    }
  });
})();
