// When something is selected: told once the hand is still, to whoever shows texts now.

const SETTLED = 200; // milliseconds after which a selection is done, for fingers and keys

let told = null;
let dragging = false;
let timer = 0;

// `selected()` hears that the selection has changed, `pressedElsewhere(target)` of every press,
// `close()` of Escape where `isOpen()`.
export function watch(listener) {
  told = listener;
}

const settle = () => { if (!dragging) told?.selected(); };

document.addEventListener("selectionchange", () => {
  clearTimeout(timer);
  timer = setTimeout(settle, SETTLED);
});
document.addEventListener("pointerdown", (event) => {
  dragging = event.pointerType === "mouse";
  told?.pressedElsewhere(event.target);
}, true);
for (const name of ["pointerup", "pointercancel"]) {
  document.addEventListener(name, () => {
    dragging = false;
    clearTimeout(timer);
    timer = setTimeout(settle, 0);
  }, true);
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !told?.isOpen()) return;
  event.preventDefault();
  event.stopPropagation();
  told.close();
}, true);
