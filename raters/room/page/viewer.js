// Looking closely: zoom and pan of one picture, or of two that move together.
//
// What is seen is one thing for all panes: `zoom` (1: the whole picture), and the place in the
// picture, in shares of its width and height, that lies in the middle of the pane.

import { element } from "/room/page/elements.js";

const STEP = 1.25;
const MOST = 8; // CSS pixels that a pixel of the picture may grow to
const SMALL = 10; // and that it takes at most where the whole of a tiny picture is shown
const SLIP = 6; // CSS pixels that a tap may slip
const TWICE = 320; // milliseconds between two taps that are one double tap

// `tapped(x, y)` is told of a tap on the picture and says whether it used it; `changed(percent)`
// of the size: 100 is one pixel of the picture to one of the screen.
export function viewer(stage, { tapped, changed }) {
  const look = { zoom: 1, x: 0.5, y: 0.5 };
  const fingers = new Map();
  let panes = [];
  let pinch = null;
  let tap = null;
  let before = { time: 0, x: 0, y: 0 };
  const watch = new ResizeObserver(() => draw());

  const fitOf = ({ node, width, height }) =>
    Math.min(node.clientWidth / width, node.clientHeight / height, SMALL) || 1;
  const most = () => Math.max(4, MOST / fitOf(panes[0]));

  function draw() {
    if (!panes.length) return;
    look.zoom = Math.min(Math.max(look.zoom, 1), most());
    for (const pane of panes) {
      const scale = fitOf(pane) * look.zoom;
      const size = [pane.width * scale, pane.height * scale];
      const place = [pane.node.clientWidth, pane.node.clientHeight];
      const [left, top] = ["x", "y"].map((axis, index) => {
        const half = place[index] / 2 / size[index];
        look[axis] = half >= 0.5 ? 0.5 : Math.min(Math.max(look[axis], half), 1 - half);
        return place[index] / 2 - look[axis] * size[index];
      });
      Object.assign(pane.frame.style, {
        width: `${size[0]}px`, height: `${size[1]}px`, left: `${left}px`, top: `${top}px`,
      });
      pane.frame.classList.toggle("pixels", scale * devicePixelRatio >= 3);
      pane.node.classList.toggle("close", look.zoom > 1);
    }
    changed(Math.round(100 * fitOf(panes[0]) * look.zoom * devicePixelRatio), look.zoom > 1);
  }

  // the place in the picture under a point of the window, in shares
  function shares(pane, clientX, clientY) {
    const box = pane.frame.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  // zoom so that the place under the point stays under it
  function zoomAt(pane, clientX, clientY, zoom) {
    hold(pane, shares(pane, clientX, clientY), clientX, clientY, zoom);
  }

  // zoom so that this place in the picture lies under the point
  function hold(pane, [x, y], clientX, clientY, zoom) {
    look.zoom = Math.min(Math.max(zoom, 1), most());
    const box = pane.node.getBoundingClientRect();
    const scale = fitOf(pane) * look.zoom;
    look.x = x - (clientX - box.left - box.width / 2) / (pane.width * scale);
    look.y = y - (clientY - box.top - box.height / 2) / (pane.height * scale);
    draw();
  }

  function moveBy(pane, dx, dy) {
    const scale = fitOf(pane) * look.zoom;
    look.x -= dx / (pane.width * scale);
    look.y -= dy / (pane.height * scale);
    draw();
  }

  function toggle(pane, clientX, clientY) {
    const whole = 1 / (fitOf(pane) * devicePixelRatio);
    if (look.zoom > 1.01) fit();
    else zoomAt(pane, clientX, clientY, whole > 1.3 ? whole : 3);
  }

  function fit() {
    Object.assign(look, { zoom: 1, x: 0.5, y: 0.5 });
    draw();
  }

  function span() {
    const [one, other] = [...fingers.values()];
    return {
      x: (one.x + other.x) / 2, y: (one.y + other.y) / 2,
      apart: Math.hypot(one.x - other.x, one.y - other.y) || 1,
    };
  }

  // how two fingers came down: what they do is reckoned from there, so that nothing adds up
  function pinched(pane) {
    const { x, y, apart } = span();
    return { apart, zoom: look.zoom, place: shares(pane, x, y) };
  }

  function down(pane, event) {
    if (event.button > 0) return;
    pane.node.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    tap = fingers.size === 1 ? { x: event.clientX, y: event.clientY } : null;
    pinch = fingers.size === 2 ? pinched(pane) : null;
  }

  function moved(pane, event) {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (tap && Math.hypot(event.clientX - tap.x, event.clientY - tap.y) > SLIP) tap = null;
    if (pinch && fingers.size === 2) {
      const now = span();
      hold(pane, pinch.place, now.x, now.y, (pinch.zoom * now.apart) / pinch.apart);
    } else if (!tap && fingers.size === 1) {
      moveBy(pane, event.clientX - last.x, event.clientY - last.y);
    }
  }

  function up(pane, event) {
    if (!fingers.delete(event.pointerId)) return;
    pinch = null;
    if (!tap || event.type !== "pointerup") return;
    tap = null;
    const [x, y] = shares(pane, event.clientX, event.clientY);
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1 && tapped(x, y)) return;
    const near = Math.hypot(event.clientX - before.x, event.clientY - before.y) < 30;
    const twice = near && event.timeStamp - before.time < TWICE;
    before = { time: twice ? 0 : event.timeStamp, x: event.clientX, y: event.clientY };
    if (twice) toggle(pane, event.clientX, event.clientY);
  }

  function wheel(pane, event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const zoom = look.zoom * Math.exp((-event.deltaY * lines * (event.ctrlKey ? 4 : 1)) / 500);
    zoomAt(pane, event.clientX, event.clientY, zoom);
  }

  function show(shown) {
    fingers.clear();
    panes = shown.map(({ picture, width, height }) => {
      const frame = element("div", { class: "room-frame" }, picture);
      const node = element("figure", { class: "room-pane" }, frame);
      const pane = { node, frame, width, height };
      node.addEventListener("pointerdown", (event) => down(pane, event));
      node.addEventListener("pointermove", (event) => moved(pane, event));
      node.addEventListener("pointerup", (event) => up(pane, event));
      node.addEventListener("pointercancel", (event) => up(pane, event));
      node.addEventListener("wheel", (event) => wheel(pane, event), { passive: false });
      return pane;
    });
    stage.replaceChildren(...panes.map(({ node }) => node));
    // each pane by itself: two may turn from side by side to one above the other in one same stage
    watch.disconnect();
    for (const { node } of panes) watch.observe(node);
    fit();
  }

  return {
    show,
    fit,
    zoomBy: (steps) => {
      look.zoom *= STEP ** steps;
      draw();
    },
    pan: ([x, y]) => {
      if (panes.length) moveBy(panes[0], -x * 60, -y * 60);
    },
    middle: () => ({ x: look.x, y: look.y }),
    frames: () => panes.map(({ frame }) => frame),
  };
}
