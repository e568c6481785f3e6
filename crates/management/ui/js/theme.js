// Runs before the first paint, so that a chosen theme does not flash the other one.
(() => {
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem('leveret.theme'));
  } catch {
    // Storage may be switched off; the system's choice stands then.
  }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
