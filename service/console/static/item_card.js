// One item of a list, as a button: its place, what it is, how good it is.
import { about, isUnavailable, tile, title } from "./cards.js";
import { element } from "./dom.js";

// `full`: the score of a whole bar; `marks`: elements beside the title; `version`: the model that the list is from.
export function itemCard(item, { full, marks = [], version, onPick }) {
  const id = item.item_id;
  const card = element("button", "card");
  card.type = "button";
  card.dataset.id = id;
  const meter = element("span", "meter", element("i"));
  meter.firstElementChild.style.width = `${Math.max(0, Math.min(100, (100 * item.score) / full))}%`;
  const text = element(
    "span", "text",
    element("span", "title", title(id, version)),
    ...marks,
    element("span", "about", about(id, version)),
    isUnavailable(id, version) ? element("span", "gone", "not available") : null,
    because(item.reason, version),
  );
  const score = element("span", "score", item.score.toFixed(3));
  card.append(element("span", "rank", String(item.rank)), tile(id, version), text, meter, score);
  card.addEventListener("click", () => onPick(id));
  return card;
}

function because(reason, version) {
  if (!reason?.length) return null;
  const named = reason.map((one) => `${title(one.item_id, version)} ${Math.round(100 * one.share)}\u00a0%`);
  return element("span", "because", `because of ${named.join(", ")}`);
}

export const badge = (className, text) => element("span", `badge ${className}`, text);

// Which model an answer is from, and the variant where users are divided.
export function origin(answer) {
  const variant = answer.variant === null ? [] : [badge("variant", `variant ${answer.variant}`)];
  return [...variant, badge("version", answer.model_version)];
}
