// Changes a part of the page into what the server says it is now, element by element: what stays keeps its focus, its
// scrolling, its marks, and what somebody has opened in it. And what somebody reads stays where it is on the screen.
"use strict";
const OWN = "open"; // the attribute that is a person's

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.id) return `#${node.id}`;
  if (!node.matches("[data-row]")) return "";
  const box = node.querySelector("input[type=checkbox]");
  return box ? box.value.split(" ")[0] : node.querySelector("a")?.getAttribute("href") ?? "";
}

function morph(before, now) {
  for (const { name, value } of [...now.attributes]) if (name !== OWN && before.getAttribute(name) !== value) before.setAttribute(name, value);
  for (const { name } of [...before.attributes]) if (name !== OWN && !now.hasAttribute(name)) before.removeAttribute(name);
  morphChildren(before, now);
}

function morphChildren(before, now) {
  const keyed = new Map([...before.children].reverse().map((one) => [keyOf(one), one]));
  keyed.delete("");
  const wanted = new Set([...now.children].map(keyOf));
  let place = before.firstChild;
  for (const child of [...now.childNodes]) {
    const key = keyOf(child);
    let same = key ? keyed.get(key) : place && !keyOf(place) ? place : null;
    keyed.delete(key);
    if (same?.nodeName !== child.nodeName) same = null;
    if (!same) {
      before.insertBefore(document.adoptNode(child), place);
      continue;
    }
    place = removeUpTo(same, place, wanted);
    if (same === place) place = place.nextSibling;
    else before.insertBefore(same, place);
    if (same.nodeType === Node.ELEMENT_NODE) morph(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (place) place = removeFirst(place);
}

// Removes what stands before an element and is not wanted any more, so that the element itself need not be moved: what is
// moved loses its focus.
function removeUpTo(same, place, wanted) {
  let one = place;
  while (one && one !== same && !(keyOf(one) && wanted.has(keyOf(one)))) one = one.nextSibling;
  if (one !== same) return place;
  while (place !== same) place = removeFirst(place);
  return place;
}

function removeFirst(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

// Does something to the page, after which what was at the top of the screen is there again; at the very top what is new is
// shown instead.
function keepPlace(change) {
  const top = document.querySelector(".top").getBoundingClientRect().bottom;
  const parts = [...document.querySelectorAll("main [data-row], main section, main article, main > *")];
  const focused = document.activeElement.matches("main *") ? document.activeElement : null;
  const read = focused ?? parts.find((one) => one.getBoundingClientRect().top >= top);
  const before = read?.getBoundingClientRect().top;
  change();
  if (scrollY > 0 && read?.isConnected) scrollBy({ top: read.getBoundingClientRect().top - before, behavior: "instant" });
}
