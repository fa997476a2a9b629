/* Ad effectiveness: a row per week, partner and campaign. */
(function () {
  "use strict";
  const S = window.Sophilux;
  const find = function (id) { return document.getElementById(id); };
  if (!find("week")) { return; }
  const state = { week: "", partner: "", q: "" };
  let rows = [], currency = null;
  const counted = function (name, label) {
    return { name: name, label: label, kind: "number", value: function (row) { return row[name]; }, cell: function (row) { return S.around(name === "revenue" ? S.money(row[name], currency) : S.number(row[name]), S.number(row[name + "_margin"])); } };
  };
  const table = S.makeTable([
    { name: "week", label: "Week", kind: "text", value: function (row) { return row.week; }, cell: function (row) { return row.week; } },
    { name: "partner", label: "Partner", kind: "text", value: function (row) { return row.partner; }, cell: function (row) { return row.partner; } },
    { name: "campaign", label: "Campaign", kind: "text", header: true, value: function (row) { return row.campaign; }, cell: function (row) { return row.campaign === "(all)" ? "All campaigns" : row.campaign; } },
    counted("reached", "Reached"), counted("clicked", "Clicked"), counted("bought", "Bought"), counted("revenue", "Revenue"),
  ], { rowClass: function (row) { return row.campaign === "(all)" ? "total" : null; } });

  function draw() {
    const kept = rows.filter(function (row) { return (!state.week || row.week === state.week) && (!state.partner || row.partner === state.partner) && S.matches(row.folded, state.q); });
    find("found").textContent = S.plural(kept.length, "row");
    table.show(kept, [S.el("h3", null, "Nothing fits"), S.el("p", null, "No campaign fits the search and filters.")]);
    S.writeState(state);
  }

  function start(content) {
    currency = content.currency;
    rows = content.rows.map(function (row) { return { ...row, folded: S.fold(row.campaign + " " + row.partner) }; });
    for (const name of ["week", "partner"]) {
      const values = [...new Set(rows.map(function (row) { return row[name]; }))];
      find(name).append(...values.map(function (value) { return S.el("option", { value: value }, value); }));
      find(name).value = S.readState()[name] || "";
      state[name] = find(name).value;
      find(name).addEventListener("change", function () { state[name] = find(name).value; draw(); });
    }
    find("search").value = state.q = S.readState().q || "";
    find("search").addEventListener("input", function () { state.q = find("search").value; draw(); });
    find("reset").addEventListener("click", function () {
      Object.assign(state, { week: "", partner: "", q: "" });
      for (const name of ["week", "partner", "search"]) { find(name).value = ""; }
      draw();
    });
    draw();
  }

  S.load("ads").then(start);
})();
