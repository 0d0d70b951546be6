// Every call to the service: the key, the time it took, and errors as sentences.
import { $, answered, wireDialog } from "./dom.js";

const KEY = "key"; // in sessionStorage: it lives until the tab is closed
const HEADLINES = {
  overloaded: "The service is busy",
  rate_limited: "This key asks too often",
  history_unavailable: "Redis does not answer, so nothing was read or stored",
  shutting_down: "This worker is about to end",
  deadline_exceeded: "No answer in time",
  internal_error: "The service failed",
  unknown_model: "This model is not open here",
  unknown_item: "There is nothing to compare it with",
};
let asking = null; // one question, however many calls were refused

export class Failure extends Error {
  constructor(message, { status = 0, wait = null } = {}) {
    super(message);
    this.status = status;
    this.wait = wait; // seconds after which it is worth trying again; null: it is not
  }
}

export async function call(method, path, body) {
  const key = sessionStorage.getItem(KEY);
  const started = performance.now();
  let response;
  try {
    response = await fetch(path, options(method, key, body));
  } catch {
    throw new Failure("The service cannot be reached.", { wait: 1 });
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  const ms = performance.now() - started;
  if (response.status === 401) {
    if (await anotherKey(key)) return call(method, path, body);
    throw new Failure("This service asks for an API key, and none was given.", { status: 401, wait: 0 });
  }
  if (!response.ok) throw failure(response, answer);
  return { answer, ms, stages: response.headers.get("Server-Timing") ?? "" };
}

// What is at the address of a card's picture, or null: a list is as good without, so nobody is asked or told.
export async function fetchPicture(path) {
  const asked = options("GET", sessionStorage.getItem(KEY));
  asked.headers.Accept = "image/webp";
  const response = await fetch(path, { ...asked, priority: "low" }).catch(() => null);
  return response?.ok ? response.blob().catch(() => null) : null;
}

function options(method, key, body) {
  const headers = { Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
}

function failure(response, answer) {
  const { status } = response;
  const wait = status === 429 || status >= 500 ? Number(response.headers.get("Retry-After") ?? 1) : null;
  if (!answer?.error) return new Failure(`Something before the service answered ${status}.`, { status, wait });
  const headline = HEADLINES[answer.error];
  const after = status === 429 ? ` Worth trying again in ${wait} s.` : "";
  const request = (answer.request_id ?? "").slice(0, 8);
  const sentence = `${headline ? `${headline}: ` : ""}${answer.message}.${after}`;
  return new Failure(`${sentence} (${status} ${answer.error}, request ${request})`, { status, wait });
}

// Whether there is a key by now other than the one that was refused.
async function anotherKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return true;
  asking ??= askForKey(refused).finally(() => { asking = null; });
  return asking;
}

async function askForKey(refused) {
  $("key-wrong").hidden = !refused;
  $("key").value = "";
  const given = (await answered($("key-dialog"))) ? $("key").value.trim() : "";
  $("key").value = "";
  if (given) sessionStorage.setItem(KEY, given);
  $("forget-key").hidden = !sessionStorage.getItem(KEY);
  return given !== "";
}

export function wireKey(onForgotten) {
  wireDialog($("key-dialog"));
  $("forget-key").hidden = !sessionStorage.getItem(KEY);
  $("forget-key").addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    $("forget-key").hidden = true;
    onForgotten();
  });
}
