/* Weekly trends: the specifications come with the data, their rows and colours from here. */
(function () {
  "use strict";
  const S = window.Sophilux;
  const find = function (id) { return document.getElementById(id); };
  const select = find("scope"), chosen = find("product");
  if (!select) { return; }
  const NAMES = ["week", "start", "id", "name", "buyers", "margin", "rank"];
  const drawn = [];
  let content = null;

  function isNarrow() { return window.innerWidth < 760; }

  /* A week without the product gets a row without numbers, at which its line breaks off. */
  function fillWeeks(rows) {
    const starts = new Map(rows.map(function (row) { return [row.week, row.start]; }));
    const there = new Set(rows.map(function (row) { return row.id + row.week; }));
    const names = new Map(rows.map(function (row) { return [row.id, row.name]; }));
    const gaps = [];
    for (const [id, name] of names) {
      for (const [week, start] of starts) {
        if (!there.has(id + week)) { gaps.push({ week: week, start: start, id: id, name: name, buyers: null, margin: null, rank: null, low: null, high: null, told: "–" }); }
      }
    }
    return rows.concat(gaps);
  }

  function rowsOf(chart) {
    const rows = (content.weeks[chart] || []).map(function (values) { return Object.fromEntries(values.map(function (value, at) { return [NAMES[at], value]; })); });
    const last = rows.length ? rows[rows.length - 1].week : "";
    const order = new Map(rows.filter(function (row) { return row.week === last; }).map(function (row) { return [row.id, row.rank]; }));
    const names = new Map();
    for (const row of rows) { names.set(row.name, (names.get(row.name) || new Set()).add(row.id)); }
    return fillWeeks(rows).map(function (row) {
      const label = row.name === row.id ? "No name yet (" + row.id + ")" : names.get(row.name).size > 1 ? row.name + " (" + row.id + ")" : row.name;
      const known = { ...row, product: label, order: order.get(row.id) };
      return row.buyers === null ? known : { ...known, low: Math.max(0, row.buyers - row.margin), high: row.buyers + row.margin, told: S.number(row.buyers) + " ± " + S.number(row.margin) };
    });
  }

  function colours() {
    const ink = S.token("--ink"), soft = S.token("--soft"), line = S.token("--line");
    const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
    const range = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"].map(S.token);
    return {
      background: null, font: font, view: { stroke: null }, range: { category: range },
      axis: { labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 },
      legend: { labelColor: ink, labelFontSize: 13, rowPadding: 6, columnPadding: 24, symbolStrokeWidth: 4, symbolOpacity: 1, columns: isNarrow() ? 1 : 2, labelLimit: isNarrow() ? find("buyers").clientWidth - 90 : 420 },
    };
  }

  function drawTable(rows) {
    const weeks = [...new Set(rows.map(function (row) { return row.week; }))];
    const products = [...new Set(rows.map(function (row) { return row.product; }))];
    find("table-head").replaceChildren(S.el("tr", null, S.el("th", { scope: "col" }, "Product"), ...weeks.map(function (week) { return S.el("th", { scope: "col", class: "number" }, week); })));
    find("table-rows").replaceChildren(...products.map(function (product) {
      return S.el("tr", null, S.el("th", { scope: "row" }, product), ...weeks.map(function (week) {
        const row = rows.find(function (one) { return one.week === week && one.product === product; });
        return S.el("td", { class: "number nowrap" }, row ? row.told : "–");
      }));
    }));
  }

  function describe(rows, name) {
    const products = [...new Set(rows.map(function (row) { return row.product; }))];
    return name + " of " + products.join(", ") + ". The table below holds the same numbers.";
  }

  /* Ticks are the Mondays of the weeks, and few enough to be read. */
  function setTicks(specification, rows) {
    const starts = [...new Set(rows.map(function (row) { return row.start; }))];
    const every = Math.ceil(starts.length / (isNarrow() ? 4 : 10));
    const values = starts.filter(function (_, place) { return (starts.length - 1 - place) % every === 0; });
    for (const part of specification.layer || [specification]) { part.encoding.x.axis.values = values; }
    return specification;
  }

  /* The products of the chart in the order of their places, for those who cannot point at the legend. */
  function listProducts(rows) {
    const products = [...new Map(rows.map(function (row) { return [row.product, row.order]; }))].sort(function (one, other) { return one[1] - other[1]; });
    const asked = chosen.options.length ? chosen.value : S.readState().product || "";
    chosen.replaceChildren(S.el("option", { value: "" }, "All alike"), ...products.map(function (entry) { return S.el("option", { value: entry[0] }, entry[0]); }));
    chosen.value = products.some(function (entry) { return entry[0] === asked; }) ? asked : "";
  }

  function bringForward(specification) {
    if (!chosen.value) { return specification; }
    for (const part of [specification, ...(specification.layer || [])]) {
      for (const parameter of part.params || []) { parameter.value = [{ product: chosen.value }]; }
    }
    return specification;
  }

  function draw() {
    const rows = rowsOf(select.value);
    listProducts(rows);
    while (drawn.length) { drawn.pop().finalize(); }
    for (const [name, label] of [["buyers", "Buyers per week"], ["ranks", "Places per week"]]) {
      const own = JSON.parse(JSON.stringify(content.specifications[name]));
      const specification = bringForward(setTicks({ ...own, data: { values: rows }, config: colours(), description: describe(rows, label) }, rows));
      const options = { mode: "vega-lite", actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } };
      window.vegaEmbed(find(name), specification, options).then(function (result) {
        drawn.push(result);
        find(name).dataset.drawn = select.value;
      });
    }
    drawTable(rows);
    S.writeState({ scope: select.value === "overall:all" ? "" : select.value, product: chosen.value });
  }

  function start(loaded) {
    content = loaded;
    const label = function (chart) {
      const at = chart.indexOf(":"), kind = chart.slice(0, at), value = chart.slice(at + 1);
      return kind === "overall" ? "Everything" : kind === "country" ? S.region(value) : value.replaceAll("/", " › ");
    };
    const charts = Object.keys(content.weeks).sort(function (one, other) { return (other === "overall:all") - (one === "overall:all") || one.localeCompare(other, "en"); });
    select.append(...charts.map(function (chart) { return S.el("option", { value: chart }, label(chart)); }));
    const asked = S.readState().scope;
    select.value = charts.includes(asked) ? asked : charts[0];
    select.addEventListener("change", draw);
    chosen.addEventListener("change", draw);
    document.addEventListener("themechange", draw);
    draw();
  }

  S.load("trends").then(start);
})();
