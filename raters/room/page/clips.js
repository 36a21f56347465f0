// Clips: one, or two that run as one. Every clip shows the same frame: they start together, are
// nudged together while they run, and stand on the middle of the same frame when they stop.

import { button, element } from "/room/page/elements.js";

const RATE = 24; // frames per second, until it was seen
const FAR = 0.25; // seconds apart that a nudge does not mend
const MIDDLE = 0.5; // of a frame: where a seek cannot fall on its neighbour

export function clipElement(address) {
  const video = element("video", {
    src: address, muted: "", playsinline: "", preload: "auto", disablepictureinpicture: "",
  });
  video.muted = true; // the attribute alone does not mute one that a script made
  return video;
}

// Returns {bar, plays, time, act, end}: the row of buttons; how often the least played clip was
// played from its beginning to its end; the time shown, in seconds; what a key does; and the end.
export function player(videos, { say, played }) {
  const lead = videos[0];
  let fps = RATE;
  const counts = videos.map(() => 0);
  let whole = videos.map(() => false); // played from the beginning, and without a leap, so far
  let rate = 1;
  let looped = false;
  let running = false;
  let frame = 0;

  const length = () => Math.min(...videos.map(({ duration }) => duration || 0));
  const last = () => Math.max(0, Math.round(length() * fps) - 1);
  const shown = () => Math.min(last(), Math.floor(lead.currentTime * fps + 1e-3));

  // the rate is that of the shortest time between two frames
  function measure(previous, shortest) {
    lead.requestVideoFrameCallback?.((_now, { mediaTime }) => {
      const step = mediaTime - previous;
      const least = step > 1e-3 ? Math.min(step, shortest) : shortest;
      if (least < 1) fps = Math.round(100 / least) / 100;
      measure(mediaTime, least);
    });
  }

  function stand(at) {
    const to = Math.min(Math.max(at, 0), last());
    for (const video of videos) video.currentTime = (to + MIDDLE) / fps;
    refresh();
  }

  async function play() {
    if (videos.some(({ ended }) => ended) || shown() >= last()) {
      for (const video of videos) video.currentTime = 0;
    }
    if (lead.currentTime < 1 / fps) whole = videos.map(() => true);
    running = true;
    refresh();
    try {
      await Promise.all(videos.map((video) => video.play()));
      follow();
    } catch {
      // the browser wants a touch first, or the clip was taken away: the button starts it
      running = false;
      refresh();
    }
  }

  function pause() {
    running = false;
    for (const video of videos) video.pause();
    stand(shown());
  }

  function leap(to) {
    whole = videos.map(() => false);
    running = false;
    for (const video of videos) video.pause();
    stand(to);
  }

  // while they run, the others are kept within half a frame of the first
  function follow() {
    cancelAnimationFrame(frame);
    if (!running) return;
    for (const video of videos.slice(1)) {
      const apart = video.currentTime - lead.currentTime;
      if (lead.ended || video.ended) video.playbackRate = rate;
      else if (Math.abs(apart) > FAR) video.currentTime = lead.currentTime;
      else if (Math.abs(apart) > MIDDLE / fps) {
        video.playbackRate = rate * (1 - Math.min(Math.max(apart * 4, -0.3), 0.3));
      } else video.playbackRate = rate;
    }
    refresh();
    frame = requestAnimationFrame(follow);
  }

  function ended(index) {
    if (whole[index]) {
      counts[index] += 1;
      whole[index] = false;
      played();
    }
    if (!videos.every((video) => video.ended)) return;
    running = false;
    if (looped) play();
    else refresh();
  }

  videos.forEach((video, index) => {
    video.addEventListener("ended", () => ended(index));
    video.addEventListener("loadedmetadata", () => refresh());
  });

  const act = {
    play: () => (running ? pause() : play()),
    frame_back: () => leap(shown() - 1),
    frame_on: () => leap(shown() + 1),
    loop: () => {
      looped = !looped;
      if (looped && !running) play();
      refresh();
    },
    half: () => {
      rate = rate === 1 ? 0.5 : 1;
      for (const video of videos) video.playbackRate = rate;
      refresh();
    },
  };
  const own = {
    play: button("room-play", "", act.play),
    back: button("", "‹", act.frame_back),
    on: button("", "›", act.frame_on),
    half: button("room-last", "", act.half),
    loop: button("room-last", "", act.loop),
    place: element("input", {
      type: "range", min: 0, max: 0, step: 1, value: 0,
      oninput: (event) => leap(Number(event.target.value)),
    }),
    time: element("span", { class: "room-time" }),
  };

  function refresh() {
    own.play.textContent = say(running ? "pause" : "play");
    own.half.setAttribute("aria-pressed", String(rate !== 1));
    own.loop.setAttribute("aria-pressed", String(looped));
    own.place.max = String(last());
    own.place.value = String(shown());
    const time = `${lead.currentTime.toFixed(1)} / ${length().toFixed(1)} s`;
    own.place.setAttribute("aria-valuetext", time);
    own.time.textContent = time;
  }

  const bar = element(
    "div", { class: "room-player", role: "group" },
    own.play, own.back, own.on, own.place, own.time, own.half, own.loop,
  );

  // in the rater's language, also where he has changed it
  function speak() {
    own.half.textContent = say("half");
    own.loop.textContent = say("loop");
    const names = [[own.back, "frame_back"], [own.on, "frame_on"], [own.place, "place_in_clip"], [bar, "clip_controls"]];
    for (const [one, key] of names) one.setAttribute("aria-label", say(key));
    refresh();
  }

  speak();
  measure(0, Infinity);
  return {
    bar,
    act,
    speak,
    start: play,
    plays: () => Math.min(...counts),
    time: () => lead.currentTime,
    end: () => {
      running = false;
      cancelAnimationFrame(frame);
      for (const video of videos) video.pause();
    },
  };
}
