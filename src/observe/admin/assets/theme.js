// Before anything is painted, so that the page does not flash in the other theme. Without a choice the system's holds.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("scimshim-theme");
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
