/** The list of earlier chats: open one, delete one, delete all. */

import { icon, make } from "/static/dom.js";

const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class HistoryPanel {
  #dialog;
  #list;
  #empty;
  #clear;
  #history;
  #conversation;
  #isSure = false;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog, history, conversation) {
    this.#dialog = dialog;
    this.#history = history;
    this.#conversation = conversation;
    this.#list = dialog.querySelector("ul");
    this.#empty = dialog.querySelector(".empty");
    this.#clear = dialog.querySelector(".clear");
    this.#clear.addEventListener("click", () => this.#removeAll());
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    // Beside the panel is the dialog itself: its content covers the rest.
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  }

  open() {
    this.#draw();
    this.#dialog.showModal();
  }

  #draw() {
    const chats = this.#history.chats();
    this.#list.replaceChildren(...chats.map((chat) => this.#entry(chat)));
    this.#empty.hidden = chats.length > 0;
    this.#clear.hidden = chats.length === 0;
    this.#askWhetherSure(false);
  }

  #entry(chat) {
    const when = make("time", { textContent: WHEN.format(chat.changedAt) });
    const open = make("button", { type: "button", className: "chat" },
      make("span", { textContent: chat.title }), when);
    if (chat.id === this.#conversation.chatId) open.setAttribute("aria-current", "true");
    open.addEventListener("click", () => {
      this.#dialog.close();
      location.hash = chat.id;
    });
    const remove = make("button",
      { type: "button", className: "delete", "aria-label": `Delete “${chat.title}”`, title: "Delete" },
      icon("delete"));
    remove.addEventListener("click", () => this.#remove(chat.id));
    return make("li", {}, open, remove);
  }

  #remove(chatId) {
    this.#forget(chatId);
    this.#draw();
    // The button that had the focus is gone.
    (this.#list.querySelector("button") ?? this.#dialog.querySelector(".close")).focus();
  }

  #removeAll() {
    if (!this.#isSure) {
      this.#askWhetherSure(true);
      return;
    }
    for (const { id } of this.#history.chats()) this.#forget(id);
    this.#draw();
    this.#dialog.querySelector(".close").focus();
  }

  #forget(chatId) {
    const isShown = chatId === this.#conversation.chatId;
    // Opened first: ending an answer that runs keeps it once more.
    if (isShown) location.hash = "";
    if (isShown) this.#conversation.open();
    this.#history.remove(chatId);
  }

  #askWhetherSure(isSure) {
    this.#isSure = isSure;
    this.#clear.textContent = isSure ? "Really delete all?" : "Delete all";
  }
}
