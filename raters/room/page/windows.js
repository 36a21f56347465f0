// The windows before the room, opened one at a time in its one dialog.

import { keysOfOptions } from "/room/page/asked.js";
import { elsewhereOffer, help, screenCheck, skipping } from "/room/page/dialogs.js";
import { element } from "/room/page/elements.js";
import { ask, keep } from "/room/page/outbox.js";
import { part, room, say, texts } from "/room/page/state.js";

function openWith(kind, content) {
  part.dialog.dataset.kind = kind;
  part.dialog.replaceChildren(...content);
  if (!part.dialog.open) part.dialog.showModal();
  part.dialog.scrollTop = 0; // the first button has the focus, and may lie below
}

export function closeWindow() {
  part.dialog.close();
}

export function openHelp() {
  const clips = room.setup.modality === "video";
  const { remark } = room.setup.ask;
  const flags = room.setup.ask.flags && !room.setup.marks.length; // of analyses sentences are marked
  const list = texts().keys.filter(([, , where]) => !where || { clips, flags, remark }[where]);
  const elsewhere = elsewhereOffer({ say, get: getCode });
  const told = { keys: keysOfOptions(room.setup), language: room.language, say, close: closeWindow, elsewhere };
  openWith("help", help(list, told));
}

async function getCode() {
  const answer = await ask("/room/code", { body: {}, token: room.setup.token, tries: 1 });
  return answer.status === 200 ? answer.body : null;
}

// `skip` takes {skip: reason, remark?}.
export function offerSkip(skip) {
  const remark = room.setup.ask.remark
    ? element("textarea", { id: "room-skip-remark", rows: "2", maxlength: room.setup.remark_longest })
    : null;
  const choose = (reason) => {
    const words = remark?.value.trim();
    closeWindow();
    skip({ skip: reason, ...(words ? { remark: words } : {}) });
  };
  const names = room.setup.texts[room.language].answers.skips;
  openWith("skip", skipping(room.setup.skips, names, { say, skip: choose, close: closeWindow, remark }));
  part.dialog.querySelector(".room-reason").focus();
}

// Asked once for every rater and browser.
export function askScreen() {
  const ready = () => {
    keep(room.names.screen, new Date().toISOString());
    closeWindow();
  };
  openWith("screen", screenCheck({ say, close: ready }));
}
