// Whether the service is ready, and whether Redis answers, asked again and again while somebody looks.
import { $ } from "./dom.js";

const EVERY_MS = 15_000;

export function watchHealth(onModel) {
  const look = async () => {
    if (!document.hidden) await showHealth(onModel);
  };
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  return showHealth(onModel);
}

async function showHealth(onModel) {
  const { state, answer } = await ready();
  show("ready", state, state === "ready");
  show("redis", answer?.redis ?? "unknown", answer?.redis === "up");
  if (!answer) return;
  const changed = $("model").textContent !== answer.model_version;
  $("model").textContent = answer.model_version;
  $("size").textContent = answer.items.toLocaleString();
  if (changed) await onModel();
}

// Without a key: the probes are open.
async function ready() {
  try {
    const response = await fetch("/readyz");
    if (response.ok) return { state: "ready", answer: await response.json() };
    return { state: `not ready (${response.status})`, answer: null };
  } catch {
    return { state: "unreachable", answer: null };
  }
}

function show(id, text, good) {
  $(id).textContent = text;
  $(id).className = good ? "up" : "down";
}
