/* Customers also bought: find a product, see what goes with it, go on from there. */
(function () {
  "use strict";
  const S = window.Sophilux;
  const find = function (id) { return document.getElementById(id); };
  if (!find("products")) { return; }
  const SHOWN = 60;
  const LISTS = { bought: ["Bought together", "order", 3], viewed: ["Viewed together", "visit", 4] };
  const state = { product: "", list: "bought", q: "" };
  let products = [], byId = new Map();

  function nameOf(id, name) { return id === name ? "No name yet (" + id + ")" : name; }

  function drawProducts() {
    const kept = products.filter(function (product) { return S.matches(product.folded, state.q); });
    find("found").textContent = S.plural(kept.length, "product") + (kept.length > SHOWN ? ", the first " + SHOWN + " shown" : "");
    find("products").replaceChildren(...kept.slice(0, SHOWN).map(function (product) {
      const isChosen = product.id === state.product;
      return S.el("li", null, S.el("button", { type: "button", "aria-current": isChosen ? "true" : null, on: { click: function () { choose(product.id, true); } } },
        S.el("span", { class: "name" }, nameOf(product.id, product.name)), S.el("span", { class: "why" }, [product.id, (product.category || "").replaceAll("/", " › ")].filter(Boolean).join(" · "))));
    }));
  }

  function drawLists(product) {
    find("lists").replaceChildren(...Object.entries(LISTS).map(function (entry) {
      return S.el("button", { type: "button", "aria-pressed": String(entry[0] === state.list), on: { click: function () { state.list = entry[0]; show(); find("lists").querySelector("[aria-pressed=true]").focus(); } } }, entry[1][0]);
    }));
  }

  function drawNeighbour(entry, list, best) {
    const [id, name, category, rank, score, meetings, people] = entry;
    const isKnown = byId.has(id);
    const label = S.el("span", { class: "name" }, nameOf(id, name));
    const link = isKnown ? S.el("button", { type: "button", class: "link", on: { click: function () { choose(id, true); } } }, label) : label;
    const bar = S.el("span", { class: "meter", "aria-hidden": "true" }, S.el("span", { style: "width:" + Math.max(2, Math.round(100 * score / best)) + "%" }));
    return S.el("li", null, S.el("span", { class: "rank" }, String(rank)), S.el("div", { class: "neighbour" }, link, S.el("span", { class: "why" }, (category || "").replaceAll("/", " › ")), bar),
      S.el("p", { class: "counts" }, S.el("b", null, score.toFixed(2)), S.el("span", { class: "why" }, " strength · " + S.plural(meetings, LISTS[list][1]) + " · " + S.plural(people, "person").replace("persons", "people"))));
  }

  function drawNeighbours(found, list) {
    const best = Math.max(...found.map(function (entry) { return entry[4]; }), 0) || 1;
    find("neighbours").replaceChildren(...found.map(function (entry) { return drawNeighbour(entry, list, best); }));
    find("none").hidden = found.length > 0;
    find("none").replaceChildren(S.el("h3", null, "Nothing yet"), S.el("p", null, "Too few people have " + (list === "bought" ? "bought" : "looked at") + " this product together with another one."));
  }

  function show() {
    const product = byId.get(state.product);
    const list = state.list;
    find("chosen-title").textContent = product ? nameOf(product.id, product.name) : "Choose a product";
    find("chosen-category").textContent = product ? (product.category || "").replaceAll("/", " › ") || product.id : "";
    if (!product) { return; }
    drawLists(product);
    drawProducts();
    S.writeState({ product: state.product, list: list === "bought" ? "" : list });
    const part = product[list];
    if (part === null) { drawNeighbours([], list); return; }
    S.load(list + "-" + part).then(function (content) {
      if (state.product === product.id && state.list === list) { drawNeighbours(content[product.id] || [], list); }
    });
  }

  function choose(id, isByHand) {
    state.product = id;
    const product = byId.get(id);
    if (product[state.list] === null) { state.list = state.list === "bought" ? "viewed" : "bought"; }
    show();
    if (isByHand) {
      find("chosen-title").focus({ preventScroll: true });
      find("chosen").scrollIntoView({ block: "nearest" });
    }
  }

  function start(content) {
    products = content.index.map(function (entry) {
      return { id: entry[0], name: entry[1], category: entry[2], bought: entry[3], viewed: entry[4], folded: S.fold([entry[1], entry[0], entry[2] || ""].join(" ")) };
    });
    byId = new Map(products.map(function (product) { return [product.id, product]; }));
    const asked = S.readState();
    state.list = asked.list in LISTS ? asked.list : "bought";
    find("search").addEventListener("input", function () { state.q = find("search").value; drawProducts(); });
    drawProducts();
    choose(byId.has(asked.product) ? asked.product : byId.has(content.first) ? content.first : products[0].id, false);
  }

  S.load("products").then(start);
})();
