// One list with its settings: what was asked, how it was made, and what moved.
import { Controls } from "./controls.js";
import { $, element, replaced } from "./dom.js";
import { badge, itemCard, origin } from "./item_card.js";
import { showTimings } from "./timings.js";

export class Column {
  constructor(name, onChange, onPick) {
    this.root = $("column-template").content.firstElementChild.cloneNode(true);
    this.root.dataset.column = name;
    this.root.setAttribute("aria-label", `List ${name}`);
    this.part(".name").textContent = name;
    this.controls = new Controls(this.part(".controls"), onChange);
    this.onPick = onPick;
    this.shown = null; // item id -> rank, of the user whose list it is
    this.version = null; // the model that made it
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  forget() {
    this.shown = null;
  }

  // `before`: ranks to compare with, or null; `there`: what the other list holds, or null.
  show({ answer, ms, stages }, before, there) {
    this.version = answer.model_version;
    this.part(".summary").textContent = this.controls.summary();
    this.showBadges(answer);
    showTimings(this.part(".timings"), stages, ms);
    this.part(".unknown").textContent = this.nothing(answer);
    this.part(".list").dataset.source = answer.source;
    const best = Math.max(answer.items[0]?.score ?? 1, ...answer.items.map((item) => item.score), 1e-9);
    replaced(this.part(".list"), answer.items.map((item) => this.row(item, best, before, there)));
    this.shown = new Map(answer.items.map((item) => [item.item_id, item.rank]));
  }

  fail() {
    this.forget();
    this.part(".badges").replaceChildren();
    this.part(".timings").hidden = true;
    this.part(".unknown").textContent = "No list: the message above says why.";
    this.part(".list").replaceChildren();
  }

  showBadges(answer) {
    this.part(".badges").replaceChildren(
      badge(answer.source, answer.source),
      ...(answer.degraded ? [badge("degraded", "degraded")] : []),
      ...origin(answer),
    );
  }

  nothing({ items, unknown_categories: categories, unknown_brands: brands }) {
    const unknown = [...categories, ...brands];
    const said = unknown.length ? [`No item of this model has: ${unknown.join(", ")}.`] : [];
    if (items.length === 0) said.push("Nothing is left: every item was seen or is kept out by the filters.");
    return said.join(" ");
  }

  row(item, best, before, there) {
    const id = item.item_id;
    const marks = [
      change(id, item.rank, before),
      there && !there.has(id) ? element("span", "change only", "only here") : null,
    ];
    const card = itemCard(item, { full: best, marks, version: this.version, onPick: this.onPick });
    return element("li", before && !before.has(id) ? "new" : "", card);
  }
}

function change(id, rank, before) {
  if (!before) return null;
  const old = before.get(id);
  if (old === undefined) return element("span", "change", "new");
  if (old === rank) return null;
  return old > rank ? element("span", "change", `▲ ${old - rank}`) : element("span", "change down", `▼ ${rank - old}`);
}

// How the second list differs from the first, in a sentence.
export function difference(first, second) {
  const shared = [...second].filter(([id]) => first.has(id));
  const moved = shared.filter(([id, rank]) => first.get(id) !== rank).length;
  return `B shares ${shared.length} of its ${second.size} items with A; ${moved} of them at another place, ${second.size - shared.length} are new.`;
}
