/** The chat page: connects its buttons with the conversation. */

import { Conversation } from "/static/conversation.js";
import { HistoryPanel } from "/static/history-panel.js";
import { History } from "/static/history.js";
import { storage } from "/static/storage.js";
import { STORED_AFTER_MS } from "/static/turn-view.js";

const PATIENCE_MS = 5_000;
const MODE = "agent-app.detailed";
const page = Object.fromEntries(
  [
    "turns", "welcome", "suggestions", "composer", "question", "send", "stop", "new-chat",
    "show-history", "history", "detailed", "answers-by", "announcements",
  ].map((id) => [id, document.getElementById(id)]),
);
const NAME = document.title;

const settings = await ask("/feedback/settings");
const chats = new History(settings.person ?? "anonymous");
const conversation = new Conversation(page.turns, {
  history: chats,
  signals: settings.implicit_signals ?? [],
  announce: (text) => (page.announcements.textContent = text),
  changed: show,
});
const panel = new HistoryPanel(page.history, chats, conversation);

/** What a route of this app says, or nothing: the page works without. */
async function ask(path) {
  try {
    return await (await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) })).json();
  } catch {
    return {};
  }
}

let wasRunning = false;

function show() {
  const { isEmpty, isRunning, chatId, title } = conversation;
  page.welcome.hidden = !isEmpty;
  page.send.hidden = isRunning;
  page.stop.hidden = !isRunning;
  document.title = title ? `${title} – ${NAME}` : NAME;
  if (!isEmpty && location.hash !== `#${chatId}`) history.pushState(null, "", `#${chatId}`);
  // By then MLflow has the answer's trace, and perhaps somebody has started its pages.
  if (wasRunning && !isRunning) setTimeout(lookForTraces, STORED_AFTER_MS);
  wasRunning = isRunning;
}

/** MLflow's pages may be started, or ended, while this one is open. */
async function lookForTraces() {
  const about = await ask("/about");
  if (!about.answers_by) return; // no answer is no news
  conversation.linkTraces(about.trace_page);
  page["answers-by"].textContent = `Answers by ${about.answers_by}.`;
}

function submit(question) {
  if (!question || conversation.isRunning) return;
  isFollowing = true;
  conversation.ask(question);
}

function openChat() {
  const chatId = location.hash.slice(1) || null;
  if (chatId === conversation.chatId && !conversation.isEmpty) return;
  isFollowing = true;
  conversation.open(chatId && chats.turns(chatId).length ? chatId : null);
  if (!conversation.chatId && location.hash) history.replaceState(null, "", location.pathname);
}

// -- asking -------------------------------------------------------------------------------------

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (conversation.isRunning) return;
  const question = page.question.value.trim();
  page.question.value = "";
  submit(question);
});

page.question.addEventListener("keydown", (event) => {
  // While a word is being composed (Japanese, Chinese), Enter belongs to the input method.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  page.composer.requestSubmit();
});

page.suggestions.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  page.question.focus();
  submit(button.textContent);
});

// What an answer offers to ask is asked here; in a tab of its own it is only filled in.
page.turns.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="/?ask="]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  page.question.focus();
  submit(offeredBy(link.search));
});

function offeredBy(query) {
  return new URLSearchParams(query).get("ask");
}

function stop() {
  conversation.stop();
  page.question.focus();
}

page.stop.addEventListener("click", stop);
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && conversation.isRunning && !page.history.open) stop();
});

// -- chats --------------------------------------------------------------------------------------

page["new-chat"].addEventListener("click", () => {
  conversation.open();
  if (location.hash) history.pushState(null, "", location.pathname);
  page.question.focus();
});

page["show-history"].addEventListener("click", () => panel.open());
window.addEventListener("popstate", openChat);

// -- how ratings are given ----------------------------------------------------------------------

function setMode(isDetailed) {
  page.detailed.setAttribute("aria-pressed", String(isDetailed));
  conversation.setMode(isDetailed);
}

page.detailed.addEventListener("click", () => {
  const isDetailed = page.detailed.getAttribute("aria-pressed") !== "true";
  setMode(isDetailed);
  try {
    storage.setItem(MODE, String(isDetailed));
  } catch {
    // Full, or forbidden: it holds until the page is left.
  }
});

// -- the newest text stays in view for a person who is at the end, and in place for one who reads --

const view = document.scrollingElement;
let isFollowing = true;

window.addEventListener("scroll", () => {
  isFollowing = view.scrollHeight - view.scrollTop - view.clientHeight < 80;
}, { passive: true });
new ResizeObserver(() => {
  if (isFollowing) view.scrollTop = view.scrollHeight;
}).observe(page.turns);

// -- start --------------------------------------------------------------------------------------

setMode(storage.getItem(MODE) === "true");
openChat();
page.send.disabled = false;
page.question.value ||= offeredBy(location.search) ?? "";
lookForTraces();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) lookForTraces();
});
