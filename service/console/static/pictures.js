// Pictures of items. Each is asked for with the key, which an <img> cannot send, when it comes into view, and kept.
import { fetchPicture } from "./api.js";

const MOST = 400; // some 5 KB each
const NEAR = "300px"; // to the window: soon to be seen
const kept = new Map(); // address -> blob: address, or the promise of one; the oldest first

const watch = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    watch.unobserve(target);
    draw(target);
  }
}, { rootMargin: NEAR });

// An <img> that is not seen until it has something to show; where nothing comes, what lies behind it stays.
export function picture(address, alt) {
  const made = new Image();
  made.alt = alt;
  made.dataset.address = address;
  made.decoding = "sync"; // a list that is drawn again must not flicker
  made.addEventListener("load", () => made.classList.add("drawn"));
  if (typeof kept.get(address) === "string") made.src = kept.get(address);
  else watch.observe(made);
  return made;
}

async function draw(image) {
  const { address } = image.dataset;
  if (!kept.has(address)) keep(address, fetchPicture(address).then((blob) => arrived(address, blob)));
  const source = await kept.get(address);
  if (source) image.src = source;
}

function arrived(address, blob) {
  if (!blob) {
    kept.delete(address); // the next list may ask again
    return null;
  }
  const source = URL.createObjectURL(blob);
  keep(address, source);
  return source;
}

function keep(address, source) {
  kept.delete(address);
  kept.set(address, source);
  if (kept.size <= MOST) return;
  const [oldest, old] = kept.entries().next().value;
  kept.delete(oldest);
  if (typeof old === "string") URL.revokeObjectURL(old); // what is drawn already stays
}
