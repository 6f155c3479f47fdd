// A row of figures, each with a name, a note and perhaps a sparkline. It formats nothing.
const sparkline = (values) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const top = Math.max(...values, 1e-9);
  const points = values.map((value, i) => `${(i / (values.length - 1)) * 100},${29 - (value / top) * 26}`);
  const area = document.createElementNS(space, "polygon");
  area.setAttribute("points", `0,30 ${points.join(" ")} 100,30`);
  area.setAttribute("style", "fill: color-mix(in srgb, var(--st-primary-color) 18%, transparent)");
  const line = document.createElementNS(space, "polyline");
  line.setAttribute("points", points.join(" "));
  line.setAttribute("style", "fill: none; stroke: var(--st-primary-color); stroke-width: 1.5; vector-effect: non-scaling-stroke");
  svg.append(area, line);
  return svg;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const tiles = element("div", "tiles");
  for (const tile of data.tiles) {
    const box = element("div", `tile${tile.tone ? ` toned tone-${tile.tone}` : ""}${tile.open ? " opens" : ""}`);
    box.dataset.tile = tile.label;
    if (tile.spark && tile.spark.length > 1) box.append(sparkline(tile.spark));
    box.append(element("div", "label", tile.label), element("div", tile.value.length > 12 ? "value long" : "value", tile.value), element("div", "note", tile.note));
    if (tile.open) {
      const open = () => setTriggerValue("open", tile.open);
      box.tabIndex = 0;
      box.setAttribute("role", "link");
      box.addEventListener("click", open);
      box.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
    }
    tiles.append(box);
  }
  const root = parentElement.querySelector(".root");
  drawSteadily(root, () => {
    const focused = root.getRootNode().activeElement?.dataset?.tile;
    root.replaceChildren(tiles);
    if (focused) [...tiles.children].find((box) => box.dataset.tile === focused)?.focus({ preventScroll: true });
  });
}
