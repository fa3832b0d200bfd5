// Goes on looking by itself where a step of the server has found too little: each is short, says how far it came, and where
// the next begins. It stops while the tab is hidden, or somebody pauses it.
"use strict";
const ENOUGH = 50; // rows
const AGAIN = 5000; // ms after an answer that was none
let looking = false;

async function goOn() {
  const link = document.querySelector("main a[data-go-on]");
  if (!link || looking || document.hidden || paused() || rows().length >= ENOUGH) return;
  looking = true;
  let wait = 0;
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return; // a person who follows the link sees why
    addFound(new DOMParser().parseFromString(await answer.text(), "text/html"));
    showLost(false);
  } catch {
    showLost(true);
    wait = AGAIN;
  } finally {
    looking = false;
  }
  setTimeout(goOn, wait);
}

function addFound(fetched) {
  const [before, now] = [document.getElementById("found"), fetched.getElementById("found")];
  const [note, fetchedNote] = [document.getElementById("looked"), fetched.getElementById("looked")];
  const table = before.querySelector("tbody");
  if (table) table.append(...now.querySelectorAll("tbody > tr"));
  else before.replaceChildren(...now.childNodes);
  if (note) note.replaceChildren(...fetchedNote.childNodes);
  const next = document.querySelector("main a[data-go-on]");
  const more = before.querySelector(".more");
  if (more && next) more.querySelector("a").href = next.href;
  if (more && !next) more.remove();
  if (!next) document.getElementById("said").textContent = (note || before).textContent;
  showWhatScriptsDo();
  showTimes();
}

pauseButton.addEventListener("click", goOn);
document.addEventListener("visibilitychange", goOn);
goOn();
