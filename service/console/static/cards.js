// What is shown of an item: title, brand, categories, and a tile in place of a picture, because bundles hold none.
import { call } from "./api.js";
import { element } from "./dom.js";

const AT_ONCE = 20; // ids in one request: long ones must fit a request line
const cards = new Map(); // item id -> card: fetched once for each model
let version = "";

export async function fetchCards(ids) {
  const missing = [...new Set(ids)].filter((id) => !cards.has(id));
  for (let first = 0; first < missing.length; first += AT_ONCE) {
    const query = missing.slice(first, first + AT_ONCE).map((id) => `ids=${encodeURIComponent(id)}`).join("&");
    keep((await call("GET", `/items?${query}`)).answer);
  }
}

function keep(answer) {
  if (answer.model_version !== version) cards.clear(); // another model may hold other cards
  version = answer.model_version;
  for (const card of answer.items) cards.set(card.item_id, card);
}

export const title = (id) => cards.get(id)?.title || id;
export const isUnavailable = (id) => cards.get(id)?.available === false;

export function about(id) {
  const card = cards.get(id);
  if (!card) return "not in the active model";
  return [card.brand, card.categories.join(" › ")].filter(Boolean).join(" · ") || id;
}

// Initials on a colour that items of the same last category share. It says nothing that the text beside it does not.
export function tile(id) {
  const made = element("span", "tile", initials(title(id)));
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", hue(cards.get(id)?.categories.at(-1) ?? id));
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
