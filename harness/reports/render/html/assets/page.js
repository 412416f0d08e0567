"use strict";
// Completions are shown as text only: no string is ever parsed as HTML.
const PAGE = 30;
const byId = (id) => document.getElementById(id);

function make(tag, css, ...children) {
  const element = document.createElement(tag);
  if (css) element.className = css;
  for (const child of children) typeof child === "string" ? appendText(element, child) : element.append(child);
  return element;
}

// Invisible characters and those that change the text direction are shown as code points.
const UNSEEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function appendText(element, text) {
  let at = 0;
  for (const match of text.matchAll(UNSEEN)) {
    const number = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    element.append(text.slice(at, match.index), make("span", "unseen", `U+${number}`));
    at = match.index + 1;
  }
  element.append(text.slice(at));
}

// -- legends ---------------------------------------------------------------------------------------------------

function startLegends() {
  for (const figure of document.querySelectorAll("figure")) {
    const drawn = [...figure.querySelectorAll("g[data-series]")];
    for (const key of figure.querySelectorAll(".key")) {
      const own = drawn.filter((g) => g.dataset.series === key.dataset.series);
      const others = drawn.filter((g) => g.dataset.series !== key.dataset.series);
      const show = (on) => {
        key.setAttribute("aria-pressed", String(on));
        own.forEach((g) => g.classList.toggle("off", !on));
      };
      const point = (on) => {
        own.forEach((g) => g.classList.toggle("lit", on));
        others.forEach((g) => g.classList.toggle("faint", on));
      };
      key.addEventListener("pointerenter", () => point(true));
      key.addEventListener("pointerleave", () => point(false));
      key.addEventListener("click", () => show(key.getAttribute("aria-pressed") !== "true"));
      show(key.getAttribute("aria-pressed") === "true");
    }
  }
}

// -- the problem browser ---------------------------------------------------------------------------------------

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const state = { q: "", objective: "", show: "", status: "", order: "", problem: "" };
let data = { objectives: [], first: "", problems: [] };

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(state)) if (given.has(name)) state[name] = given.get(name);
}

function writeHash() {
  const usual = { objective: data.first };
  const kept = new URLSearchParams(Object.entries(state).filter(([name, value]) => value && value !== usual[name]));
  if (kept.size || location.hash.includes("=")) history.replaceState(null, "", "#" + kept);
}

function texts(problem) {
  problem.texts ??= problem.program.map((text, i) => (text + "\n" + problem.detail[i]).toLowerCase());
  return problem.texts;
}

function hits(problem) {
  const samples = [];
  const words = state.q.toLowerCase();
  const about = !words || (problem.id + "\n" + problem.prompt).toLowerCase().includes(words);
  for (let i = 0; i < problem.index.length; i++) {
    if (state.status && problem.status[i] !== state.status) continue;
    if (about || texts(problem)[i].includes(words)) samples.push(i);
  }
  return samples;
}

function pickPasses(problem) {
  const picked = problem.picked?.[state.objective] ?? [];
  return picked.length ? picked.some((i) => problem.status[i] === "passed") : null;
}

function shown(problem) {
  const rate = problem.rate;
  switch (state.show) {
    case "mixed": return rate > 0 && rate < 1;
    case "right": return pickPasses(problem) === true;
    case "wrong": return pickPasses(problem) === false && rate > 0;
    case "none": return rate === 0;
    case "all": return rate === 1;
    default: return true;
  }
}

function refresh() {
  state.q = byId("search").value;
  const matches = [];
  for (const problem of data.problems) {
    if (!shown(problem)) continue;
    const samples = hits(problem);
    if (samples.length) matches.push({ problem, samples });
  }
  if (state.order) {
    const sign = state.order === "hard" ? 1 : -1;
    matches.sort((a, b) => sign * ((a.problem.rate ?? 2) - (b.problem.rate ?? 2)));
  }
  const samples = matches.reduce((sum, match) => sum + match.samples.length, 0);
  byId("count").textContent = `${matches.length} of ${plural(data.problems.length, "problem")}, ${plural(samples, "sample")}`;
  byId("list").replaceChildren(...matches.map(item));
  const current = matches.find((match) => match.problem.id === state.problem) ?? matches[0];
  showProblem(current);
  writeHash();
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function item(match) {
  const problem = match.problem;
  const rate = make("span", "rate", make("i"));
  rate.firstChild.style.width = `${100 * (problem.rate ?? 0)}%`;
  rate.title = problem.rate === null ? "not graded" : `${(100 * problem.rate).toFixed(0)} % of the samples pass`;
  const passes = pickPasses(problem);
  const mark = passes === null ? "" : passes ? "✓" : "✗";
  const picked = make("span", passes ? "ok" : "ko", mark);
  if (mark) picked.title = `the sample that ${state.objective} selects ${passes ? "passes" : "fails"}`;
  const button = make("button", "", make("span", "id", problem.id), rate, picked);
  button.type = "button";
  button.dataset.id = button.title = problem.id;
  button.addEventListener("click", () => {
    state.problem = problem.id;
    showProblem(match);
    writeHash();
    if (byId("problem").getBoundingClientRect().top < 0) byId("problem").scrollIntoView({ behavior: "instant" });
  });
  return make("li", "", button);
}

// The list is one tab stop; within it, keys move.
function moveInList(event) {
  const buttons = [...byId("list").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const last = buttons.length - 1;
  const places = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: last };
  if (at < 0 || !(event.key in places) || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const button = buttons[Math.min(Math.max(places[event.key], 0), last)];
  button.click();
  button.focus();
}

function showProblem(match) {
  for (const button of byId("list").querySelectorAll("button")) {
    const isCurrent = button.dataset.id === match?.problem.id;
    button.setAttribute("aria-current", String(isCurrent));
    button.tabIndex = isCurrent ? 0 : -1;
  }
  if (!match) return byId("problem").replaceChildren(make("p", "soft", "No matches."));
  const { problem, samples } = match;
  const passed = problem.status.filter((status) => status === "passed").length;
  const fold = problem.fold === undefined ? "" : ` · held out in fold ${problem.fold + 1}`;
  const score = (i) => problem.scores?.[state.objective]?.[i] ?? -Infinity;
  const ordered = [...samples].sort((a, b) => score(b) - score(a));
  const box = make("div");
  byId("problem").replaceChildren(
    make("h3", "", problem.id),
    make("p", "soft", `${passed} of ${problem.index.length} samples pass${fold}`),
    code(problem.prompt),
    folded("Tests", problem.tests),
    ...(problem.solution ? [folded("Reference solution", problem.solution)] : []),
    make("h4", "", plural(samples.length, "sample") + (state.objective ? ` by score of ${state.objective}, best first` : "")),
    box,
  );
  more(box, problem, ordered, 0);
}

function more(box, problem, ordered, from) {
  for (const i of ordered.slice(from, from + PAGE)) box.append(sample(problem, i));
  const left = ordered.length - from - PAGE;
  if (left <= 0) return;
  const button = make("button", "more-button", `${left} more`);
  button.type = "button";
  button.addEventListener("click", () => { button.remove(); more(box, problem, ordered, from + PAGE); });
  box.append(button);
}

function folded(title, text) {
  const details = make("details", "sample", make("summary", "", title));
  details.addEventListener("toggle", () => details.children.length > 1 || details.append(code(text)), { once: true });
  return details;
}

function sample(problem, i) {
  const status = problem.status[i];
  const seconds = problem.seconds[i];
  const score = problem.scores?.[state.objective]?.[i];
  const pickers = data.objectives.filter((name) => problem.picked?.[name]?.includes(i));
  const head = make("summary", "",
    make("span", `verdict ${status === "passed" ? "ok" : "ko"}`, status),
    make("span", "soft", `#${problem.index[i]}`),
    make("span", "soft", score == null ? "" : `score ${score.toFixed(3)}`),
    make("span", "soft", seconds == null ? "" : `${(1000 * seconds).toFixed(0)} ms`),
  );
  if (pickers.length) {
    const names = pickers.length === data.objectives.length ? "every probe" : pickers.join(", ");
    head.append(make("span", "pick", `selected by ${names}`));
  }
  head.append(reason(problem.detail[i]));
  const details = make("details", "sample", head);
  const program = (problem.continues[i] ? problem.prompt : "") + problem.program[i];
  details.addEventListener("toggle", () => details.children.length > 1 || details.append(copyButton(program), code(program)), { once: true });
  return details;
}

// The assertion, and on a separate line the values that came back; a closed sample shows the values alone.
function reason(detail) {
  const [assertion, ...values] = detail.split(" # ");
  const why = make("span", "why", make("span", "assertion", assertion));
  if (values.length) why.append(make("span", "values", values.join(" # ")));
  return why;
}

function copyButton(text) {
  const button = make("button", "copy", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {  // not allowed for pages from a plain http server
    const area = make("textarea", "unseen-area");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// -- syntax colours for programs -------------------------------------------------------------------------------

const KEYWORDS = new Set(("and as assert async await break class continue def del elif else except False finally for from " +
  "global if import in is lambda None nonlocal not or pass raise return True try while with yield").split(" "));
const TOKEN = /(#[^\n]*)|("""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|\b(\d[\w.]*)\b|\b([A-Za-z_]\w*)\b/g;

function code(text) {
  const pre = make("pre");
  let at = 0;
  for (const match of text.length < 20000 ? text.matchAll(TOKEN) : []) {
    const css = match[1] ? "cm" : match[2] ? "s" : match[3] ? "n" : KEYWORDS.has(match[4]) ? "k" : "";
    if (!css) continue;
    appendText(pre, text.slice(at, match.index));
    pre.append(make("span", css, match[0]));
    at = match.index + match[0].length;
  }
  appendText(pre, text.slice(at));
  return pre;
}

// -- marks for the words searched for ---------------------------------------------------------------------------

function markMatches() {
  const words = state.q.toLowerCase();
  const ranges = [];
  for (const block of words ? byId("problem").querySelectorAll("h3, pre, .why") : []) {
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    const nodes = [];  // pieces of text with their offsets in the whole
    let whole = "";
    while (walker.nextNode()) {
      nodes.push([whole.length, walker.currentNode]);
      whole += walker.currentNode.data;
    }
    const place = (at) => nodes.findLast(([start]) => start <= at);
    whole = whole.toLowerCase();
    for (let at = whole.indexOf(words); at >= 0; at = whole.indexOf(words, at + words.length)) {
      const [first, last] = [place(at), place(at + words.length - 1)];
      const range = new Range();
      range.setStart(first[1], at - first[0]);
      range.setEnd(last[1], at + words.length - last[0]);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

// -- start -----------------------------------------------------------------------------------------------------

function options(select, names) {
  for (const name of names) select.append(new Option(name, name));
}

async function startBrowser() {
  data = await unpack(byId("data").textContent);
  options(byId("objective"), data.objectives);
  options(byId("status"), [...new Set(data.problems.flatMap((problem) => problem.status))].sort());
  state.objective = data.first;
  byId("objective").hidden = !data.objectives.length;
  readHash();
  for (const name of ["objective", "show", "status", "order"]) {
    byId(name).value = state[name];
    byId(name).addEventListener("change", (event) => { state[name] = event.target.value; refresh(); });
  }
  byId("search").value = state.q;
  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 120);
  });
  byId("list").addEventListener("keydown", moveInList);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  if (CSS.highlights) new MutationObserver(markMatches).observe(byId("problem"), { childList: true, subtree: true });
  refresh();
  document.body.dataset.ready = "yes";
}

startLegends();
if (matchMedia("(max-width: 600px)").matches) document.querySelector(".guide").open = false;
if (byId("data")) startBrowser();
else document.body.dataset.ready = "yes";
