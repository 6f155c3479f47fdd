// A table: sorts, expands and opens rows in the browser, and keeps both across refreshes. It formats nothing.
const kept = new Map(); // grid id -> {sort, expanded}: outlives refreshes and page changes, not a reload

const stateOf = (id) => {
  if (!kept.has(id)) kept.set(id, { sort: null, expanded: new Set() });
  return kept.get(id);
};

const sortedRows = (rows, sort) => {
  if (!sort) return rows;
  const key = (row) => row.cells[sort.column].sort;
  return rows
    .map((row, place) => ({ row, place, value: key(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
      const order = typeof a.value === "number" ? a.value - b.value : String(a.value).localeCompare(String(b.value));
      return (sort.descending ? -order : order) || a.place - b.place;
    })
    .map((entry) => entry.row);
};

const linked = (text, row, open, className) => {
  const link = element("a", className, text);
  link.href = row.href;
  link.addEventListener("click", (event) => {
    event.stopPropagation();
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    open(row);
  });
  return link;
};

const content = (cell, row, open, first) => {
  const tone = cell.tone ? ` tone-${cell.tone}` : "";
  if (cell.kind === "pill") return element("span", `pill${tone}`, cell.text);
  if (cell.kind === "bar") {
    const bar = element("div", `bar${tone}`);
    const track = element("div", "track");
    const fill = element("div", "fill");
    fill.style.width = `${Math.round(Math.min(1, Math.max(0, cell.fill ?? 0)) * 1000) / 10}%`;
    track.append(fill);
    bar.append(track, element("span", `number${cell.tone && cell.strong ? " tinted" : ""}`, cell.text));
    return bar;
  }
  const box = element("div");
  const style = `${cell.kind === "mono" ? "mono " : ""}${cell.tone ? `tinted${tone}` : ""}`.trim();
  box.append(first && row.href ? linked(cell.text, row, open, style) : element("span", style, cell.text));
  if (cell.sub) box.append(element("span", "sub", cell.sub));
  return box;
};

const buildRow = (grid, row, depth, view, redraw, open) => {
  const tr = element("tr", [depth ? "child" : "", row.tone ? `edged tone-${row.tone}` : "", row.href ? "opens" : ""].join(" "));
  tr.dataset.row = row.id;
  grid.columns.forEach((column, index) => {
    const cell = row.cells[index];
    const td = element("td", `${column.align} ${column.wrap ? "" : "nowrap"}`);
    if (index && cell.text) td.dataset.label = column.label; // which a narrow screen shows beside the value
    const inner = content(cell, row, open, index === 0);
    if (index === 0 && grid.expandable) {
      const lead = element("div", "lead");
      if (row.children.length) {
        const expander = element("button", "expander");
        expander.setAttribute("aria-expanded", String(view.expanded.has(row.id)));
        expander.setAttribute("aria-label", `groups of ${row.id}`);
        expander.addEventListener("click", (event) => {
          event.stopPropagation();
          if (!view.expanded.delete(row.id)) view.expanded.add(row.id);
          redraw();
        });
        lead.append(expander);
      } else if (!depth) lead.append(element("span", "spacer"));
      lead.append(inner);
      td.append(lead);
    } else td.append(inner);
    tr.append(td);
  });
  if (row.href) tr.addEventListener("click", () => { if (!String(getSelection())) open(row); });
  return tr;
};

const header = (grid, view, redraw) => {
  const tr = element("tr");
  grid.columns.forEach((column, index) => {
    const th = element("th", column.align);
    th.scope = "col";
    const active = view.sort && view.sort.column === index;
    th.setAttribute("aria-sort", active ? (view.sort.descending ? "descending" : "ascending") : "none");
    const button = element("button", "", column.label);
    button.title = "Sort; a third click restores the given order";
    button.addEventListener("click", () => {
      if (!active) view.sort = { column: index, descending: column.align === "right" };
      else if (view.sort.turned) view.sort = null;
      else view.sort = { column: index, descending: !view.sort.descending, turned: true };
      redraw();
    });
    th.append(button);
    tr.append(th);
  });
  const thead = element("thead");
  thead.append(tr);
  return thead;
};

// Where the keyboard is: a refresh replaces the elements, not the place of who walks through them.
const placeOf = (node) => {
  const tr = node.closest("tr");
  return JSON.stringify([tr.dataset.row ?? null, [...tr.querySelectorAll("a, button")].indexOf(node)]);
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const view = stateOf(data.id);
  const open = (row) => setTriggerValue("open", row.open);
  const draw = () => {
    const frame = element("div", "frame");
    if (!data.rows.length) frame.append(element("div", "empty", data.empty));
    else {
      const table = element("table");
      const tbody = element("tbody");
      for (const row of sortedRows(data.rows, view.sort)) {
        tbody.append(buildRow(data, row, 0, view, draw, open));
        if (view.expanded.has(row.id)) {
          for (const child of sortedRows(row.children, view.sort)) tbody.append(buildRow(data, child, 1, view, draw, open));
        }
      }
      table.append(header(data, view, draw), tbody);
      frame.append(table);
    }
    const scrolled = root.firstElementChild ? root.firstElementChild.scrollLeft : 0;
    const focused = root.getRootNode().activeElement;
    const place = focused && root.contains(focused) ? placeOf(focused) : null;
    root.replaceChildren(frame);
    frame.scrollLeft = scrolled;
    if (place) [...frame.querySelectorAll("a, button")].find((node) => placeOf(node) === place)?.focus({ preventScroll: true });
  };
  drawSteadily(root, draw);
}
