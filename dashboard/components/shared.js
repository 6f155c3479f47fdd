// What the page's own elements have in common.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const held = new WeakMap(); // root -> {pressed, waiting}

// Draws at once, or once the pointer that is pressed on the element is up: a refresh that took what was pressed away
// would make the press no click.
const drawSteadily = (root, draw) => {
  let hold = held.get(root);
  if (!hold) {
    held.set(root, (hold = { pressed: false, waiting: null }));
    const release = () => {
      hold.pressed = false;
      // after the click, which the browser dispatches right behind the pointer's event
      setTimeout(() => { if (!hold.pressed && hold.waiting) { hold.waiting(); hold.waiting = null; } });
    };
    root.addEventListener("pointerdown", () => {
      hold.pressed = true;
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release, { once: true, capture: true });
    });
  }
  if (hold.pressed) hold.waiting = draw;
  else {
    hold.waiting = null;
    draw();
  }
};
