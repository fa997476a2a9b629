/* A table of rows that can be sorted, and shows as many as the eye can take. */
(function () {
  "use strict";
  const S = window.Sophilux;
  const STEP = 100;

  /* columns: {name, label, kind ("text" or "number"), value(row), cell(row), header} */
  window.Sophilux.makeTable = function (columns, options) {
    const headings = document.getElementById("headings");
    const body = document.getElementById("rows");
    const none = document.getElementById("none");
    const more = document.getElementById("more");
    const card = body.closest(".card");
    let rows = [], sort = null, shown = STEP;

    function compare(one, other) {
      const a = sort.column.value(one), b = sort.column.value(other);
      if (a === null || b === null) { return a === b ? 0 : a === null ? 1 : -1; }
      const result = sort.column.kind === "number" ? a - b : String(a).localeCompare(String(b), "en");
      return sort.isDown ? -result : result;
    }

    function drawHeadings() {
      headings.replaceChildren(...columns.map(function (column) {
        const isSorted = sort && sort.column === column;
        const cell = S.el("th", { role: "columnheader", scope: "col", class: column.kind, "aria-sort": isSorted ? (sort.isDown ? "descending" : "ascending") : null });
        if (!column.value) { cell.append(column.label); return cell; }
        const mark = S.el("span", { "aria-hidden": "true", class: "mark" }, isSorted ? (sort.isDown ? "↓" : "↑") : "");
        cell.append(S.el("button", { type: "button", on: { click: function () { sortBy(column); } } }, ...(column.kind === "number" ? [mark, column.label] : [column.label, mark])));
        return cell;
      }));
    }

    function sortBy(column) {
      const isSame = sort && sort.column === column;
      if (isSame && sort.isDown !== (column.kind === "number" && !column.isRank)) { sort = null; } else {
        sort = { column: column, isDown: isSame ? !sort.isDown : column.kind === "number" && !column.isRank };
      }
      const place = columns.indexOf(column);
      draw();
      headings.children[place].querySelector("button").focus();
    }

    function drawRow(row) {
      return S.el("tr", { role: "row", class: options.rowClass ? options.rowClass(row) : null }, ...columns.map(function (column) {
        const tag = column.header ? "th" : "td";
        return S.el(tag, { role: column.header ? "rowheader" : "cell", scope: column.header ? "row" : null, class: column.name + " " + column.kind, "data-label": column.header || column.bare ? null : column.label }, column.cell(row));
      }));
    }

    function draw() {
      drawHeadings();
      const ordered = sort ? rows.slice().sort(compare) : rows;
      body.replaceChildren(...ordered.slice(0, shown).map(drawRow));
      card.hidden = rows.length === 0;
      none.hidden = rows.length > 0;
      more.hidden = rows.length <= shown;
      more.textContent = "Show all " + S.number(rows.length);
    }

    more.addEventListener("click", function () { shown = rows.length; draw(); });
    return {
      show: function (found, empty) {
        rows = found;
        shown = STEP;
        none.replaceChildren(...(empty || []));
        draw();
      },
    };
  };
})();
