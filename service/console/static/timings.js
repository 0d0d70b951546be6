// Server-Timing as a stacked bar. Its parts are named below it too: colour alone says nothing.
import { element } from "./dom.js";

// `encode;dur=1.25, rank;dur=0.5` -> [["encode", 1.25], ["rank", 0.5]]
export function parsed(header) {
  const found = header.matchAll(/([\w-]+);dur=([\d.]+)/g);
  return [...found].map(([, stage, ms]) => [stage, Number(ms)]);
}

const written = (ms) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(0));

export function showTimings(box, header, roundTrip) {
  const stages = parsed(header);
  const total = stages.reduce((sum, [, ms]) => sum + ms, 0);
  box.hidden = stages.length === 0;
  const bar = box.querySelector(".bar");
  bar.replaceChildren(...stages.map(([stage, ms]) => part(stage, ms, total)));
  const told = `Stages in the service ${written(total)} ms, round trip of this page ${written(roundTrip)} ms`;
  bar.setAttribute("aria-label", told);
  box.querySelector(".total").textContent = `${written(total)} ms in the service · ${written(roundTrip)} ms round trip`;
  box.querySelector(".legend").replaceChildren(...stages.map(([stage, ms]) => entry(stage, ms)));
}

function part(stage, ms, total) {
  const made = element("i");
  made.dataset.stage = stage;
  made.style.flexGrow = total ? ms / total : 1;
  made.title = `${stage} ${written(ms)} ms`;
  return made;
}

function entry(stage, ms) {
  const dot = element("i");
  dot.dataset.stage = stage;
  return element("li", "", dot, `${stage} ${written(ms)}`);
}
