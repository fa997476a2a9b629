/* Best-sellers: choose a period and a chart, filter, sort, read. */
(function () {
  "use strict";
  const S = window.Sophilux;
  const find = function (id) { return document.getElementById(id); };
  if (!find("kinds")) { return; }
  const KINDS = { day: ["Day", "day"], trailing7: ["7 days", "day"], week: ["Week", "week"], trailing30: ["30 days", "day"], month: ["Month", "month"], year: ["Year", "year"] };
  const COLUMNS = ["rank", "previous_rank", "rank_change", "is_new", "weeks", "buyers", "buyers_margin", "units", "units_margin", "revenue", "revenue_margin", "trend"];
  const state = { kind: "", period: "", scope: "overall:all", movement: "", q: "" };
  let index = null, file = null, rows = [];

  function unpack(content, chart) {
    return (content.charts[chart] || []).map(function (place) {
      const product = content.products[place[0]];
      const row = { id: product[0], name: product[1], category: product[2] };
      COLUMNS.forEach(function (name, at) { row[name] = place[at + 1]; });
      row.folded = S.fold([row.name, row.id, row.category || ""].join(" "));
      return row;
    });
  }

  function periodsOf(kind) { return index.periods.filter(function (period) { return period.kind === kind; }); }

  function nameScope(scope) {
    const at = scope.indexOf(":"), kind = scope.slice(0, at), value = scope.slice(at + 1);
    if (kind === "overall") { return "Everything"; }
    return kind === "country" ? S.region(value) : value.replaceAll("/", " › ");
  }

  function move(row) {
    if (row.is_new) { return S.el("span", { class: "move new" }, "New"); }
    if (row.rank_change > 0) { return S.el("span", { class: "move up" }, S.el("span", { "aria-hidden": "true" }, "▲ "), S.number(row.rank_change), S.el("span", { class: "hidden" }, " up")); }
    if (row.rank_change < 0) { return S.el("span", { class: "move down" }, S.el("span", { "aria-hidden": "true" }, "▼ "), S.number(-row.rank_change), S.el("span", { class: "hidden" }, " down")); }
    if (row.rank_change === 0) { return S.el("span", { class: "move same" }, S.el("span", { "aria-hidden": "true" }, "="), S.el("span", { class: "hidden" }, "Same place")); }
    return S.el("span", { class: "move same" }, S.el("span", { "aria-hidden": "true" }, "–"), S.el("span", { class: "hidden" }, "Place before not known"));
  }

  function product(row) {
    const category = row.category ? S.el("span", { class: "why" }, row.category.replaceAll("/", " › ")) : null;
    const isNameless = row.name === row.id;
    const name = isNameless ? S.el("span", { class: "nameless" }, "No name yet") : S.el("span", { class: "name" }, row.name);
    return S.el("div", null, name, S.el("span", { class: "why id" }, row.id), " ", category || "");
  }

  function trend(row, size) { return S.sparkline(row.trend, size, S.describeTrend(row.trend, KINDS[file.period][1])); }

  const table = S.makeTable([
    { name: "rank", label: "Rank", kind: "number", isRank: true, bare: true, value: function (row) { return row.rank; }, cell: function (row) { return S.number(row.rank); } },
    { name: "moved", label: "Moved", kind: "text", bare: true, cell: move },
    { name: "product", label: "Product", kind: "text", header: true, value: function (row) { return row.name; }, cell: product },
    { name: "trend", label: "Trend", kind: "text", bare: true, cell: function (row) { return trend(row, { width: 96, height: 28 }); } },
    { name: "buyers", label: "Buyers", kind: "number", value: function (row) { return row.buyers; }, cell: function (row) { return S.around(S.number(row.buyers), S.number(row.buyers_margin)); } },
    { name: "units", label: "Units", kind: "number", value: function (row) { return row.units; }, cell: function (row) { return S.around(S.number(row.units), S.number(row.units_margin)); } },
    { name: "revenue", label: "Revenue", kind: "number", value: function (row) { return row.revenue; }, cell: function (row) { return S.around(S.money(row.revenue, file.currency), S.number(row.revenue_margin)); } },
    { name: "weeks", label: "Weeks", kind: "number", value: function (row) { return row.weeks; }, cell: function (row) { return S.number(row.weeks); } },
  ], { rowClass: function (row) { return row.rank <= 3 ? "first" : null; } });

  function drawPodium() {
    find("podium").replaceChildren(...rows.slice(0, 3).map(function (row) {
      return S.el("li", { class: "place place-" + row.rank }, S.el("span", { class: "big", "aria-hidden": "true" }, String(row.rank)),
        S.el("div", { class: "place-body" }, S.el("div", { class: "place-top" }, move(row), trend(row, { width: 112, height: 34 })),
          S.el("h3", null, row.name === row.id ? "No name yet (" + row.id + ")" : row.name),
          S.el("p", { class: "figure-line" }, S.around(S.number(row.buyers), S.number(row.buyers_margin)), " buyers")));
    }));
  }

  function keep(row) {
    const moved = { new: row.is_new, up: row.rank_change > 0, down: row.rank_change < 0 };
    return (!state.movement || moved[state.movement]) && S.matches(row.folded, state.q);
  }

  function explainNone() {
    if (rows.length) {
      return [S.el("h3", null, "Nothing on this chart fits"), S.el("p", null, "No product fits the search and filter."), S.el("button", { type: "button", class: "quiet", on: { click: reset } }, "Show the whole chart")];
    }
    const longer = "A product appears once enough different people have bought it for its number to tell on nobody; longer periods show more.";
    return [S.el("h3", null, file ? "Nothing to show for this chart" : "No chart of this kind yet"), S.el("p", null, longer)];
  }

  function drawRows() {
    const kept = rows.filter(keep);
    find("found").textContent = kept.length === rows.length ? S.plural(rows.length, "product") : S.number(kept.length) + " of " + S.plural(rows.length, "product");
    find("save").hidden = kept.length === 0;
    table.show(kept, explainNone());
    S.writeState({ ...state, scope: state.scope === "overall:all" ? "" : state.scope });
  }

  function drawNotes() {
    const restated = find("restated");
    restated.hidden = !file || file.revision <= 1;
    if (!restated.hidden) {
      restated.replaceChildren(S.el("p", null, S.el("strong", null, "Restated. "), "This chart was published again on " + S.day(file.restated_at || file.released_at) + (file.restated_why ? " (" + file.restated_why + ")" : "") + "; it is version " + file.revision + "."));
    }
    const head = rows[0];
    find("margins").textContent = head ? "On the chart you see that is " + S.number(head.buyers_margin) + " buyers, " + S.number(head.units_margin) + " units and " + S.money(head.revenue_margin, file.currency) + "." : "";
    find("cost").textContent = file && file.epsilon !== null ? "For experts: differential privacy per person and release, ε = " + file.epsilon.toPrecision(2) + " at δ = " + file.delta.toExponential(0) + " (ρ = " + file.rho + ")." : "";
  }

  function drawHead() {
    const period = index.periods.find(function (one) { return one.id === state.period; });
    const label = period ? S.span(period.start, period.end) : "no period yet";
    find("subtitle").textContent = nameScope(state.scope) + ", " + KINDS[state.kind][0].toLowerCase() + (period && period.kind === "week" ? " " + period.id : "") + " · " + label;
    find("chart-title").textContent = nameScope(state.scope);
    const made = document.body.dataset.day;
    if (period && period.kind === "day" && period.end < made) {
      find("subtitle").append(S.el("span", { class: "late" }, " No product had enough buyers to be named on " + S.day(made) + ", or nothing was sold."));
    }
  }

  function show() {
    find("earlier").disabled = find("period").selectedIndex >= find("period").options.length - 1;
    find("later").disabled = find("period").selectedIndex <= 0;
    const wanted = state.period;
    const arrived = function (content) {
      if (state.period !== wanted) { return; }
      file = content;
      rows = content ? unpack(content, state.scope) : [];
      drawHead();
      drawPodium();
      drawNotes();
      drawRows();
    };
    if (!wanted) { arrived(null); return; }
    S.load("period-" + wanted).then(arrived, function () {
      find("none").replaceChildren(S.el("h3", null, "This chart's file is missing"), S.el("p", null, "Copy the whole folder of the report, not the page alone."));
      find("none").hidden = false;
    });
  }

  function chooseKind(kind, period) {
    state.kind = kind;
    const periods = periodsOf(kind);
    const select = find("period");
    select.replaceChildren(...periods.map(function (one) {
      return S.el("option", { value: one.id }, (kind === "week" ? one.id + " · " : "") + S.span(one.start, one.end) + (one.revision > 1 ? " (restated)" : ""));
    }));
    select.disabled = periods.length === 0;
    state.period = periods.some(function (one) { return one.id === period; }) ? period : periods.length ? periods[0].id : "";
    select.value = state.period;
    for (const radio of document.querySelectorAll("#kinds input")) { radio.checked = radio.value === kind; }
    show();
  }

  function step(by) {
    const select = find("period");
    select.selectedIndex += by;
    state.period = select.value;
    show();
  }

  function reset() {
    Object.assign(state, { movement: "", q: "" });
    find("movement").value = "";
    find("search").value = "";
    drawRows();
    find("search").focus();
  }

  function save() {
    const kept = rows.filter(keep);
    const head = ["rank", "previous_rank", "product_id", "product_name", "category", "buyers", "buyers_margin", "units", "units_margin", "revenue", "revenue_margin", "weeks_on_chart"];
    const body = kept.map(function (row) { return [row.rank, row.previous_rank, row.id, row.name, row.category, row.buyers, row.buyers_margin, row.units, row.units_margin, row.revenue, row.revenue_margin, row.weeks]; });
    S.saveCsv("bestsellers-" + state.period + "-" + state.scope.replace(/[^A-Za-z0-9]+/g, "-") + ".csv", [head, ...body]);
  }

  function fillScopes() {
    const select = find("scope");
    const option = function (scope, label) { return S.el("option", { value: scope }, label); };
    select.append(option("overall:all", "Everything"));
    const groups = [["Categories", "category"], ["Countries", "country"]];
    for (const [label, kind] of groups) {
      const values = (index.scopes[kind] || []).map(function (value) { return [value, kind === "country" ? S.region(value) : value]; });
      if (kind === "country") { values.sort(function (one, other) { return one[1].localeCompare(other[1], "en"); }); }
      if (!values.length) { continue; }
      select.append(S.el("optgroup", { label: label }, ...values.map(function (entry) {
        const depth = kind === "category" ? entry[0].split("/").length - 1 : 0;
        return option(kind + ":" + entry[0], "\u2003".repeat(depth) + (depth ? entry[1].split("/").pop() : entry[1]));
      })));
    }
  }

  function start(content) {
    index = content;
    const asked = S.readState();
    find("kinds").append(...Object.entries(KINDS).map(function (entry) {
      return S.el("label", null, S.el("input", { type: "radio", name: "kind", value: entry[0], on: { change: function () { chooseKind(entry[0]); } } }), S.el("span", null, entry[1][0]));
    }));
    fillScopes();
    find("scope").value = asked.scope || "overall:all";
    state.scope = find("scope").value || "overall:all";
    find("scope").value = state.scope;
    find("movement").value = asked.movement || "";
    state.movement = find("movement").value;
    find("search").value = state.q = asked.q || "";
    find("period").addEventListener("change", function () { step(0); });
    find("earlier").addEventListener("click", function () { step(1); });
    find("later").addEventListener("click", function () { step(-1); });
    find("scope").addEventListener("change", function () { state.scope = find("scope").value; show(); });
    find("movement").addEventListener("change", function () { state.movement = find("movement").value; drawRows(); });
    find("search").addEventListener("input", function () { state.q = find("search").value; drawRows(); });
    find("reset").addEventListener("click", reset);
    find("save").addEventListener("click", save);
    const kind = asked.kind in KINDS ? asked.kind : index.newest.kind;
    chooseKind(kind, asked.period || index.newest.id);
  }

  S.load("charts").then(start);
})();
