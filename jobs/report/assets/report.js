/* What every page shares: loading data, building elements, formats, colours. */
(function () {
  "use strict";
  const held = new Map();
  const waiting = new Map();
  const NUMBER = new Intl.NumberFormat("en-GB");
  const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const REGIONS = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });
  const FORMULA = /^[\s\u00a0\ufeff\u200b]*[=+\-@|%＝＋－＠]|^[\t\r\n]/;

  /* Data lies in scripts, because a page from disk may not fetch a file. */
  function receive(name, content) {
    held.set(name, content);
    for (const resolve of waiting.get(name) || []) { resolve(content); }
    waiting.delete(name);
  }

  function load(name) {
    if (held.has(name)) { return Promise.resolve(held.get(name)); }
    return new Promise(function (resolve, reject) {
      const others = waiting.get(name);
      if (others) { others.push(resolve); return; }
      waiting.set(name, [resolve]);
      const script = document.createElement("script");
      script.src = "data/" + name + ".js";
      script.onerror = function () { waiting.delete(name); reject(new Error("data/" + name + ".js cannot be read")); };
      document.head.append(script);
    });
  }

  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) { continue; }
      if (name === "on") {
        for (const [event, listener] of Object.entries(value)) { made.addEventListener(event, listener); }
      } else { made.setAttribute(name, value === true ? "" : String(value)); }
    }
    made.append(...children.filter(function (child) { return child !== null && child !== undefined && child !== false; }));
    return made;
  }

  function svg(tag, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) { made.setAttribute(name, String(value)); }
    return made;
  }

  function number(value) { return value === null || value === undefined ? "–" : NUMBER.format(value); }

  function money(value, currency) {
    if (value === null || value === undefined) { return "–"; }
    const digits = Number.isInteger(value) ? 0 : 2;
    const style = currency ? { style: "currency", currency: currency } : {};
    try {
      return new Intl.NumberFormat("en-GB", { ...style, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
    } catch { return NUMBER.format(value) + " " + currency; }
  }

  /* A number with its margin, as one text for the eye and for a screen reader. */
  function around(text, margin) {
    const shown = el("span", { class: "around" }, el("b", null, text));
    if (margin) { shown.append(" ", el("span", { class: "margin" }, "± " + margin)); }
    return shown;
  }

  function toDate(text) { return new Date(text.slice(0, 10) + "T00:00:00Z"); }
  function day(text) { return DAY.format(toDate(text)); }
  function span(start, end) {
    return start === end ? day(start) : SHORT.format(toDate(start)) + " – " + SHORT.format(toDate(end)) + " " + end.slice(0, 4);
  }

  function region(code) {
    try { return REGIONS.of(code) || code; } catch { return code; }
  }

  /* Text as people search for it: without case, and without accents. */
  function fold(text) { return String(text).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(); }

  function matches(folded, query) {
    return fold(query).split(/\s+/).every(function (word) { return folded.includes(word); });
  }

  function plural(count, noun) { return number(count) + " " + noun + (count === 1 ? "" : "s"); }

  function sparkline(values, size, label) {
    const width = size.width, height = size.height, pad = 3;
    const known = values.filter(function (value) { return value !== null; });
    const drawn = svg("svg", { viewBox: "0 0 " + width + " " + height, width: width, height: height, class: "spark", role: "img", "aria-label": label });
    if (!known.length) { return drawn; }
    const low = Math.min(...known), high = Math.max(...known);
    const x = function (place) { return values.length === 1 ? width - pad : pad + place * (width - 2 * pad) / (values.length - 1); };
    const y = function (value) { return high === low ? height / 2 : height - pad - (value - low) * (height - 2 * pad) / (high - low); };
    let path = "", isOpen = false;
    values.forEach(function (value, place) {
      if (value === null) { isOpen = false; return; }
      path += (isOpen ? "L" : "M") + x(place).toFixed(1) + " " + y(value).toFixed(1) + (isOpen ? "" : "h0");
      isOpen = true;
    });
    drawn.append(svg("path", { d: path }));
    const last = values.length - 1;
    if (values[last] !== null) { drawn.append(svg("circle", { cx: x(last).toFixed(1), cy: y(values[last]).toFixed(1), r: 2.6 })); }
    return drawn;
  }

  function describeTrend(values, noun) {
    const known = values.filter(function (value) { return value !== null; });
    if (known.length < 2) { return "No earlier " + noun + "s on the chart"; }
    return "Buyers over " + plural(values.length, noun) + ", from " + number(known[0]) + " to " + number(known[known.length - 1]);
  }

  /* The place of a choice in the address, so that a view can be kept and sent. */
  function readState() { return Object.fromEntries(new URLSearchParams(window.location.hash.slice(1))); }
  function writeState(state) {
    const kept = Object.entries(state).filter(function (entry) { return entry[1] !== "" && entry[1] !== null && entry[1] !== undefined; });
    const text = new URLSearchParams(kept).toString();
    try { window.history.replaceState(null, "", text ? "#" + text : window.location.pathname + window.location.search); } catch { /* Not allowed for some pages from disk. */ }
  }

  function saveCsv(name, rows) {
    const cell = function (value) {
      const text = value === null || value === undefined ? "" : String(value);
      const safe = typeof value === "string" && FORMULA.test(text) ? "'" + text : text;
      return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
    };
    const text = "\ufeff" + rows.map(function (row) { return row.map(cell).join(","); }).join("\r\n") + "\r\n";
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = el("a", { href: url, download: name });
    link.click();
    window.setTimeout(function () { URL.revokeObjectURL(url); }, 1000);
  }

  function token(name) { return window.getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function setUpTheme() {
    const button = document.getElementById("theme");
    const root = document.documentElement;
    const names = { "": "Auto", light: "Light", dark: "Dark" };
    const show = function () { button.querySelector("[data-theme-name]").textContent = names[root.dataset.theme || ""]; };
    button.hidden = false;
    show();
    button.addEventListener("click", function () {
      const order = ["", "light", "dark"];
      const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
      if (next) { root.dataset.theme = next; } else { delete root.dataset.theme; }
      try {
        if (next) { window.localStorage.setItem("sophilux-theme", next); } else { window.localStorage.removeItem("sophilux-theme"); }
      } catch { /* Kept for this page only. */ }
      show();
      document.dispatchEvent(new Event("themechange"));
    });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { document.dispatchEvent(new Event("themechange")); });
  }

  /* A copy of the report may be opened long after it was made: say how old its numbers are. */
  function tellAge() {
    const made = document.body.dataset.day;
    const days = Math.floor((Date.now() - toDate(made).getTime()) / 86400000);
    for (const place of document.querySelectorAll("[data-age]")) {
      if (days > 1) { place.textContent = " (" + plural(days, "day") + " ago)"; place.hidden = false; }
    }
  }

  window.Sophilux = {
    receive, load, el, number, money, around, day, span, region, fold, matches, plural, sparkline, describeTrend,
    readState, writeState, saveCsv, token,
  };
  setUpTheme();
  tellAge();
})();
