// What is shown of an item: title, brand, categories, and its picture; where there is none, a tile in its place.
import { call } from "./api.js";
import { element } from "./dom.js";
import { picture } from "./pictures.js";

const AT_ONCE = 20; // ids in one request: long ones must fit a request line
const MOST_CATALOGUES = 4;
const catalogues = new Map(); // model version -> item id -> card: another model may hold other cards

// `whose`: { model } or { user_id }, as the API takes it.
export async function fetchCards(ids, whose) {
  const there = catalogues.get(whose.model) ?? new Map();
  const missing = [...new Set(ids)].filter((id) => !there.has(id));
  for (let first = 0; first < missing.length; first += AT_ONCE) {
    const query = new URLSearchParams(whose);
    for (const id of missing.slice(first, first + AT_ONCE)) query.append("ids", id);
    keep((await call("GET", `/items?${query}`)).answer);
  }
}

function keep({ model_version: version, items }) {
  const catalogue = catalogues.get(version) ?? new Map();
  catalogues.delete(version); // the latest stands last, and the first goes first
  catalogues.set(version, catalogue);
  for (const card of items) catalogue.set(card.item_id, card);
  if (catalogues.size > MOST_CATALOGUES) catalogues.delete(catalogues.keys().next().value);
}

// A title is better than none, whichever model knows it; all else is true of one model only.
const anywhere = (id) => [...catalogues.values()].map((catalogue) => catalogue.get(id)).findLast(Boolean);
const cardOf = (id, version) => (version ? catalogues.get(version)?.get(id) : anywhere(id));
export const title = (id, version) => cardOf(id, version)?.title || anywhere(id)?.title || id;
export const isUnavailable = (id, version) => cardOf(id, version)?.available === false;

export function about(id, version) {
  const card = cardOf(id, version);
  if (!card) return "not in this model";
  return [card.brand, card.categories.join(" › ")].filter(Boolean).join(" · ") || id;
}

// Initials on a colour that items of the same last category share. It says nothing that the text beside it does not.
// A picture lies above them, in a box that has its size before the picture is there, and keeps it if none comes.
export function tile(id, version) {
  const card = cardOf(id, version);
  const letters = element("span", "", initials(title(id, version)));
  letters.setAttribute("aria-hidden", "true");
  const made = element("span", "tile", letters);
  made.style.setProperty("--hue", hue(card?.categories.at(-1) ?? id));
  if (!card?.image) return made;
  made.classList.add("pictured");
  made.append(picture(card.image, title(id, version)));
  return made;
}

function initials(text) {
  const words = text.match(/[\p{L}\p{N}]+/gu) ?? ["?"];
  const telling = words.filter((word) => !/^(the|a|an|of|and)$/i.test(word));
  return (telling.length ? telling : words).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
}

function hue(text) {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) % 997;
  return (hash * 137) % 360;
}
