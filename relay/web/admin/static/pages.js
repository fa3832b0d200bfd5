// Times, keys, marks and copies. Every page works without it; what only it can do is hidden until it runs.
"use strict";
const language = document.documentElement.lang;
const texts = JSON.parse(document.body.dataset.units);

const formats = {
  exact: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" }),
  clock: new Intl.DateTimeFormat("sv", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }),
  minute: new Intl.DateTimeFormat("sv", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }),
  second: new Intl.DateTimeFormat("sv", { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
};

function relative(ms) {
  const distance = Math.abs(Date.now() - ms);
  for (const [size, ago, toCome] of texts.units) {
    if (distance >= size) return (ms <= Date.now() ? ago : toCome).replace("{n}", Math.floor(distance / size));
  }
  return texts.now;
}

function showTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = formats.exact.format(at);
    const shown = time.dataset.as === "ago" ? relative(at.getTime()) : formats[time.dataset.as].format(at).replace(",", ".");
    if (time.textContent !== shown) time.textContent = shown;
  }
  const updated = document.getElementById("updated-at");
  if (updated) updated.textContent = formats.second.format(new Date(Number(updated.dataset.at)));
}

function rows() {
  return [...document.querySelectorAll("main [data-row]")];
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  (next.querySelector("a") || next).focus();
  next.scrollIntoView({ block: "nearest" });
}

function mark() {
  const row = document.activeElement.closest("[data-row]");
  const box = row && row.querySelector("input[type=checkbox]");
  if (box) box.click();
}

function openHelp() {
  document.getElementById("help").showModal();
}

let after = "";
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.matches("input:not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
  const place = after === "g" && document.querySelector(`.menu a[data-key="${CSS.escape(event.key)}"]`);
  after = event.key === "g" && after !== "g" ? "g" : "";
  const acts = { "/": () => document.getElementById("search")?.focus(), j: () => move(1), k: () => move(-1), x: mark, "?": openHelp };
  const act = place ? () => place.click() : acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function onClick(event) {
  const copied = event.target.closest("[data-copy]");
  if (copied) {
    const text = document.getElementById(copied.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => { copied.textContent = copied.dataset.done; });
    return;
  }
  const all = event.target.closest("[data-mark-all]");
  if (all) for (const box of document.querySelectorAll("main [data-row] input[type=checkbox]")) box.checked = all.checked;
}

function showWhatScriptsDo() {
  for (const hidden of document.querySelectorAll("#help-button, #pause, [data-copy][hidden]")) hidden.hidden = false;
}

// On a phone the menu is a line, wider than the screen: the open page's entry is scrolled into it.
function showOpenPage() {
  const open = document.querySelector(".menu [aria-current]");
  const menu = open && open.closest(".menu");
  if (menu) menu.scrollLeft += open.getBoundingClientRect().left - (menu.clientWidth - open.offsetWidth) / 2;
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

// What takes a while says so: a page that loads, an act that is done. And a form is sent once.
function onSubmit(event) {
  document.body.setAttribute("aria-busy", "true");
  if (event.target.method === "post") {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.addEventListener("submit", onSubmit);
addEventListener("pageshow", () => {
  document.body.removeAttribute("aria-busy");
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.getElementById("help-button")?.addEventListener("click", openHelp);
showWhatScriptsDo();
showOpenPage();
showTimes();
setInterval(() => { if (!document.hidden) showTimes(); }, 1000);
