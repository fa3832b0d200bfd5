// Follows what happens: the server says that something changed, and the page fetches itself anew. Silent while its tab
// is hidden, while it is paused, and while somebody writes in it or has selected a text.
"use strict";
const PAUSED = "relay-paused";
const GAP = 1000; // ms between two fetches
const pauseButton = document.getElementById("pause");
let source = null;
let version = null;
let behind = false; // something changed that is not shown yet
let fetching = false;
let written = false; // in a form of this page

const paused = () => sessionStorage.getItem(PAUSED) === "yes";
const selected = () => !getSelection().isCollapsed;
const still = () => document.querySelector("main [data-still]"); // shown once, such as people unmasked
const choosing = () => document.querySelector("dialog[open]:not(#help)") || document.activeElement?.matches("main :is(input:not([type=checkbox]), select, textarea)");

function showPause() {
  pauseButton.setAttribute("aria-pressed", String(paused()));
  pauseButton.textContent = paused() ? pauseButton.dataset.resume : pauseButton.dataset.pause;
}

function follow() {
  if (document.hidden || paused()) {
    if (source) source.close();
    source = null;
    return;
  }
  if (source) return;
  source = new EventSource("/admin/changes");
  source.onmessage = (event) => {
    if (version !== null && event.data !== version) behind = true;
    version = event.data;
    showLost(event.data === "away");
    refresh();
  };
  source.addEventListener("ended", () => { // the session: what is written stays, and is refused when it is sent
    if (written) showLost(true);
    else location.reload();
  });
  source.onerror = () => {
    showLost(true);
    if (source && source.readyState === EventSource.CLOSED) { // refused, or another status: try again later
      source = null;
      setTimeout(follow, 5000);
    }
  };
}

function showLost(lost) {
  document.getElementById("lost").hidden = !lost;
}

async function refresh() {
  if (!behind || fetching || document.hidden || paused() || selected() || choosing() || still()) return;
  if (written) {
    document.getElementById("stale").hidden = false;
    behind = false;
    return;
  }
  fetching = true;
  behind = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) location.reload();
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    showLost(false);
  } catch {
    behind = true;
    showLost(true);
  }
  setTimeout(() => { fetching = false; refresh(); }, GAP);
}

function show(fetched) {
  keepPlace(() => {
    const said = document.querySelector("main > [data-said]");
    said?.remove();
    for (const id of ["strip", "main", "updated"]) {
      const [before, now] = [document.getElementById(id), fetched.getElementById(id)];
      if (before && now) morphChildren(before, now);
    }
    if (said) document.getElementById("main").prepend(said); // what an act came to stays until one goes on
    showWhatScriptsDo();
    showTimes();
  });
  sayProblems(fetched.title);
}

function sayProblems(title) {
  const count = (text) => Number(/^\((\d+)\)/.exec(text)?.[1] ?? 0);
  const said = document.getElementById("said");
  if (count(title) !== count(document.title)) said.textContent = said.dataset.problems.replace("{n}", count(title));
  document.title = title;
}

pauseButton.addEventListener("click", () => {
  sessionStorage.setItem(PAUSED, paused() ? "no" : "yes");
  if (!paused()) behind = true;
  showPause();
  follow();
  refresh();
});
document.addEventListener("visibilitychange", () => { follow(); if (!document.hidden) { behind = true; refresh(); } });
document.addEventListener("selectionchange", () => { if (!selected()) refresh(); });
document.addEventListener("focusout", () => setTimeout(refresh));
document.getElementById("main").addEventListener("input", (event) => { if (!event.target.matches("[type=checkbox]")) written = true; });
showPause();
follow();
