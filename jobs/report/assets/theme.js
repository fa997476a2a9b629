/* Colours before the first paint, so that a dark page does not flash; the button that changes them comes later. */
(function () {
  "use strict";
  try {
    const kept = window.localStorage.getItem("sophilux-theme");
    if (kept === "light" || kept === "dark") { document.documentElement.dataset.theme = kept; }
  } catch { /* A browser may refuse storage to pages from disk; then colours follow the system. */ }
})();
