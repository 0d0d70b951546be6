// What is like an item of the history, in the eyes of the model that recommends to this user.
import { call } from "./api.js";
import { fetchCards, title } from "./cards.js";
import { $, element } from "./dom.js";
import { itemCard, origin } from "./item_card.js";

const MOST = 12;
let turn = 0; // of two quick clicks the later one counts
let left = false; // the dialog is being closed: the event that says so may come after the next click

// `whose`: { model } or { user_id }, as the API takes it.
export async function showSimilar(id, whose, onPick) {
  const mine = ++turn;
  const query = new URLSearchParams({ n: MOST, ...whose });
  const { answer } = await call("GET", `/items/${inPath(id)}/similar?${query}`);
  const version = answer.model_version;
  await fetchCards([id, ...answer.items.map((item) => item.item_id)], { model: version }).catch(() => null); // then ids stand for titles
  if (mine !== turn) return;
  const pick = (picked) => {
    close();
    onPick(picked);
  };
  const rows = answer.items.map((item) => element("li", "", itemCard(item, { full: 1, version, onPick: pick })));
  $("similar-to").textContent = title(id, version);
  $("similar-badges").replaceChildren(...origin(answer));
  $("similar-hint").textContent = rows.length ? "" : "The model knows no other item.";
  $("similar").replaceChildren(...rows);
  if (!$("similar-dialog").open) $("similar-dialog").showModal();
  $("similar-dialog").scrollTop = 0;
}

// Dots too: a browser takes `..` for the folder above.
const inPath = (id) => encodeURIComponent(id).replaceAll(".", "%2E");

function close() {
  leave();
  $("similar-dialog").close();
}

function leave() {
  left = true;
  turn += 1; // what is still on its way comes too late
}

export function wireSimilar() {
  $("similar-close").addEventListener("click", close);
  $("similar-dialog").addEventListener("click", (event) => {
    if (event.target === $("similar-dialog")) close(); // beside it
  });
  $("similar-dialog").addEventListener("cancel", leave); // Escape
  $("similar-dialog").addEventListener("close", () => {
    if (!left) leave(); // closed without a word before
    left = false;
    if (!$("similar-dialog").open) $("similar").replaceChildren();
  });
}
