// Live events of all tabs of a browser over one stream.
//
// Each visible tab says what it watches. One of them holds a lock, and with it the stream of what all of them watch; the others
// are told through a channel. A tab that is hidden or closed watches nothing and gives the lock up: the next visible tab takes
// over, and its stream begins with the newest state of everything. Lock and channel are named after the session, and the server
// refuses a stream to a page of another one, so that nothing passes from one person to the next. Where the browser has no locks
// or channels (plain http from another machine), each tab has a stream of its own.

const AGAIN = [1000, 5000, 15000, 60000]; // before a stream that was refused is asked for once more
const session = document.documentElement.dataset.session ?? "";
const name = `batchdesk-live-${session}`;
const shared = "locks" in navigator && "BroadcastChannel" in globalThis;
const me = `${Date.now()}-${Math.random()}`;

const follows = new Set(); // what the page in this tab follows, and how it is told
let state = "off"; // connecting, live, again, off
let part = null; // this tab's part while it is visible and watches something

/** Follows a batch (its id) or an operation (its code). `tell("event", json)` for each event, `tell(state, "")` otherwise. */
export default function follow(watch, tell) {
  const one = { watch, tell };
  follows.add(one);
  look();
  tell(state, "");
  return () => {
    follows.delete(one);
    look();
  };
}

document.addEventListener("visibilitychange", look);
addEventListener("pageshow", look);
addEventListener("pagehide", leave);

function look() {
  const wants = document.visibilityState === "visible" ? [...new Set([...follows].map(({ watch }) => watch))] : [];
  if (wants.length === 0) return leave();
  if (!part) join();
  const changed = part.wants.join() !== wants.join();
  part.wants = wants;
  if (!changed) return;
  if (part.leads) serve(part, me, wants);
  else part.channel?.postMessage({ from: me, wants });
}

function join() {
  const mine = (part = { wants: [], others: new Map(), latest: new Map(), open: new Set(), waiting: new AbortController() });
  become("connecting");
  if (!shared) return lead(mine);
  mine.channel = new BroadcastChannel(name);
  mine.channel.onmessage = ({ data }) => hear(mine, data);
  const held = () =>
    mine === part &&
    new Promise((give) => {
      mine.give = give;
      lead(mine);
    });
  // Leaving while it waits ends the request with an error.
  navigator.locks.request(name, { signal: mine.waiting.signal }, held).catch(() => {});
}

function leave() {
  const left = part;
  if (!left) return;
  part = null;
  clearTimeout(left.timer);
  left.source?.close();
  left.channel?.postMessage({ from: me, wants: [] });
  left.channel?.close();
  left.waiting.abort();
  left.give?.();
  become("off");
}

function hear(mine, { from, to, lead, wants, state, event }) {
  if (mine !== part || (to && to !== me)) return;
  if (lead) mine.channel.postMessage({ from: me, wants: mine.wants });
  if (wants && mine.leads) serve(mine, from, wants);
  if (state && !mine.leads) become(state);
  if (event && !mine.leads) {
    // Whatever this tab was told before, an event proves that the stream lives.
    become("live");
    pass(event);
  }
}

function become(now) {
  if (state === now) return;
  state = now;
  for (const { tell } of follows) tell(now, "");
  if (part?.leads) part.channel?.postMessage({ from: me, state });
}

function pass(event) {
  for (const { watch, tell } of follows) if (watch === event.id || watch === event.operation) tell("event", event.text);
}

function lead(mine) {
  mine.leads = true;
  mine.refused = 0;
  mine.channel?.postMessage({ from: me, lead: true });
  // The others answer at once: a moment's wait makes one stream of it all.
  soon(mine, 30);
}

function soon(mine, wait) {
  clearTimeout(mine.timer);
  mine.timer = setTimeout(connect, wait, mine);
}

/** A tab wants something else than before: a wider stream, or what this one has said already. */
function serve(mine, tab, wants) {
  if (tab !== me) wants.length ? mine.others.set(tab, wants) : mine.others.delete(tab);
  if (state === "off" || wants.some((watch) => !mine.open.has(watch))) {
    mine.refused = 0;
    return soon(mine, 30);
  }
  if (tab === me) for (const event of mine.latest.values()) pass(event);
  else {
    mine.channel.postMessage({ from: me, to: tab, state });
    for (const event of mine.latest.values()) mine.channel.postMessage({ from: me, to: tab, event });
  }
}

function connect(mine) {
  mine.source?.close();
  mine.open = new Set([...mine.wants, ...[...mine.others.values()].flat()]);
  mine.latest.clear();
  if (state === "off") become("connecting");
  const source = (mine.source = new EventSource(`/events?watch=${[...mine.open].join()}&session=${session}`));
  source.onopen = () => {
    mine.refused = 0;
    become("live");
    // Also to those who came while it was being opened anew.
    mine.channel?.postMessage({ from: me, state });
  };
  source.onerror = () => {
    become("again");
    // The browser tries again by itself unless the answer was not a stream (signed out, not found, 503).
    if (source.readyState !== EventSource.CLOSED) return;
    const wait = AGAIN[mine.refused++];
    if (wait) soon(mine, wait);
    else become("off");
  };
  source.addEventListener("progress", ({ data: text }) => {
    const { id, operation } = JSON.parse(text);
    const event = { id, operation, text };
    mine.latest.set(id, event);
    become("live");
    pass(event);
    mine.channel?.postMessage({ from: me, event });
  });
}
