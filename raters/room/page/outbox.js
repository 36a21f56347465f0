// What the rater has answered and the server has not acknowledged yet. It outlives a reload: an
// event is kept in the browser's storage from before it is first sent until it is acknowledged.

const WAITS = [1000, 2000, 4000, 8000, 15000];
const PATIENCE = 15000;
const AT_ONCE = 50;
const LARGEST = 48 * 1024;

export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    // storage is full or forbidden: the page itself still holds the value
    return false;
  }
}

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

export function eventId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // outside a secure context (plain http on a local network) there is no randomUUID
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function pause(milliseconds) {
  return new Promise((done) => {
    const timer = setTimeout(finish, milliseconds);
    function finish() {
      clearTimeout(timer);
      removeEventListener("online", finish);
      done();
    }
    addEventListener("online", finish);
  });
}

// Ask the server until it answers, or `tries` times. `unreachable` is told of every attempt that
// failed. Returns {status, body}; a status of 400 or more is the server's last word.
export async function ask(path, { body, token, tries = Infinity, unreachable = () => {} } = {}) {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    try {
      const answer = await fetch(path, {
        method: body ? "POST" : "GET",
        headers: body ? { "Content-Type": "application/json", "X-Room-Token": token } : {},
        body: body && JSON.stringify(body),
        cache: "no-store",
        credentials: "same-origin",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.status < 500 && answer.status !== 429) {
        return { status: answer.status, body: await answer.json() };
      }
    } catch {
      // no network, no server, or an answer cut short: the same to us
    }
    unreachable();
    if (attempt + 1 < tries) await pause(WAITS[Math.min(attempt, WAITS.length - 1)]);
  }
  return { status: 503, body: null };
}

// The first events that go into one request.
function parcel(events, most) {
  let bytes = 0;
  const over = events.slice(0, most).findIndex((event) => {
    bytes += new TextEncoder().encode(JSON.stringify(event)).length + 1;
    return bytes > LARGEST;
  });
  return events.slice(0, over < 0 ? most : Math.max(1, over));
}

// The outbox of one rater, under a name in the browser's storage that two tabs share.
//
// `path()` says where answers go, `token()` gives the page's token, `renew()` asks for a new one and
// says whether it got one.
// `told` is called with "unreachable", "closed" (the session is over; what is kept stays kept)
// or "arrived" and the server's answer.
export function outbox(name, { path, token, renew, told }) {
  let own = [];
  let running = null;

  function pending() {
    const stored = recall(name);
    const kept = Array.isArray(stored) ? stored : [];
    const ids = new Set(kept.map((event) => event.event_id));
    return [...kept, ...own.filter((event) => !ids.has(event.event_id))];
  }

  function add(event) {
    const stays = keep(name, [...pending(), event]);
    // where there is no storage, and only there, the page is all that holds it
    if (!stays) own.push(event);
    return flush();
  }

  function remove(ids) {
    own = own.filter((event) => !ids.has(event.event_id));
    const left = pending().filter((event) => !ids.has(event.event_id));
    keep(name, left.length ? left : null);
  }

  function flush() {
    running ??= empty().finally(() => { running = null; });
    return running;
  }

  async function empty() {
    let renewed = false;
    let most = AT_ONCE;
    for (;;) {
      const events = parcel(pending(), most);
      if (!events.length) return;
      const unreachable = () => told("unreachable");
      const answer = await ask(path(), { body: { events }, token: token(), unreachable });
      if (answer.status === 403 && !renewed) {
        // the link was opened again elsewhere in this browser: take the new session's token
        renewed = true;
        if (await renew()) continue;
      }
      // 401 and 403 speak of the session, not of the answers: they are kept for the next one
      if (answer.status === 401 || answer.status === 403) {
        told("closed");
        return;
      }
      if (answer.status >= 400 && events.length > 1) {
        // something is wrong with one of them: the others must not go down with it
        most = 1;
        continue;
      }
      remove(new Set(events.map((event) => event.event_id)));
      told("arrived", answer);
    }
  }

  return { pending, add, flush, ownOnly: () => own.length > 0 };
}
