// The spans of one trace on a common time axis; a click shows a span's attributes. It formats nothing.
const kept = new Map(); // trace id -> ids of the spans whose attributes are shown

const gridLines = (lane, ticks) => {
  for (const tick of ticks) {
    const line = element("div", "grid-line");
    line.style.left = `${tick.at * 100}%`;
    lane.append(line);
  }
};

const axis = (ticks) => {
  const row = element("div", "bar-row axis");
  const lane = element("div", "lane");
  gridLines(lane, ticks);
  ticks.forEach((tick, index) => {
    const label = element("span", index === ticks.length - 1 ? "tick last" : "tick", tick.label);
    label.style.left = `${tick.at * 100}%`;
    lane.append(label);
  });
  row.append(element("div", "name", "Span"), lane);
  return row;
};

const spanRow = (span, ticks, shown, redraw) => {
  const row = element("button", `bar-row tone-${span.tone}`);
  row.dataset.span = span.id;
  row.setAttribute("aria-expanded", String(shown.has(span.id)));
  const name = element("div", "name");
  name.style.paddingLeft = `${0.7 + span.depth * 1.1}rem`;
  name.title = span.name;
  name.append(element("span", "", span.name), element("span", "service", span.service));
  const lane = element("div", "lane");
  gridLines(lane, ticks);
  const bar = element("div", "span");
  bar.style.left = `${span.offset * 100}%`;
  bar.style.width = `${span.width * 100}%`;
  const label = element("span", "span-label", span.label);
  if (span.offset + span.width < 0.8) label.style.left = `${(span.offset + span.width) * 100}%`;
  else if (span.offset > 0.2) { label.style.left = `${span.offset * 100}%`; label.style.transform = "translateX(-100%)"; }
  else { label.style.left = `${span.offset * 100}%`; label.classList.add("inside"); }
  lane.append(bar, label);
  row.append(name, lane);
  row.addEventListener("click", () => {
    if (!shown.delete(span.id)) shown.add(span.id);
    redraw();
  });
  return row;
};

const facts = (span) => {
  const box = element("div", "facts");
  const list = element("dl");
  for (const [key, value] of span.facts) list.append(element("dt", "", key), element("dd", "mono", value));
  box.append(list);
  return box;
};

export default function ({ data, parentElement }) {
  if (!kept.has(data.id)) kept.set(data.id, new Set());
  const shown = kept.get(data.id);
  const draw = () => {
    const frame = element("div", "frame");
    frame.append(axis(data.ticks));
    for (const span of data.spans) {
      frame.append(spanRow(span, data.ticks, shown, draw));
      if (shown.has(span.id)) frame.append(facts(span));
    }
    parentElement.querySelector(".root").replaceChildren(frame);
  };
  draw();
}
