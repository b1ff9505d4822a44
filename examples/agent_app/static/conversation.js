/** The chat on the page: asks, shows answers as they stream, keeps them, and brings them back. */

import { readAgentStream } from "/feedback/agent-feedback.js";
import { TurnView } from "/static/turn-view.js";
import { asInput, newId, newTurn, take } from "/static/turns.js";

const KEEP_EVERY_MS = 500;

export class Conversation {
  #element;
  #history;
  #announce;
  #changed;
  #signals;
  #chatId = null;
  #views = new Map(); // turn id → TurnView, in order
  #running = null; // { turn, controller } of the answer that is being streamed here
  #isDetailed = false;
  #tracePage = null;

  /**
   * @param {HTMLElement} element where the turns go
   * @param {object} with_
   * @param {import("/static/history.js").History} with_.history
   * @param {string[]} with_.signals the implicit signals that the server takes
   * @param {(text: string) => void} with_.announce tells people who do not see the page
   * @param {() => void} with_.changed called when the chat, or whether an answer runs, has changed
   */
  constructor(element, { history, signals, announce, changed }) {
    this.#element = element;
    this.#history = history;
    this.#signals = signals;
    this.#announce = announce;
    this.#changed = changed;
    window.addEventListener("pagehide", () => this.#keepRunning());
    window.addEventListener("storage", ({ key }) => {
      if (this.#chatId && key === this.#history.keyOf(this.#chatId)) this.#bringBack();
    });
  }

  get chatId() {
    return this.#chatId;
  }

  get title() {
    return this.#views.values().next().value?.turn.question;
  }

  get isEmpty() {
    return this.#views.size === 0;
  }

  get isRunning() {
    return this.#running !== null;
  }

  /** Shows a chat of the history, or a new one. */
  open(chatId = null) {
    this.stop();
    this.#chatId = chatId;
    for (const view of this.#views.values()) view.element.remove();
    this.#views.clear();
    if (chatId) this.#bringBack();
    this.#changed();
  }

  async ask(question) {
    this.#chatId ??= newId();
    const before = [...this.#views.values()].map((view) => view.turn);
    const turn = newTurn(question);
    const controller = new AbortController();
    this.#running = { turn, controller };
    const view = this.#show(turn);
    this.#history.keep(this.#chatId, turn);
    this.#changed();
    this.#announce("The agent is answering.");
    await whileHeld(turn.id, () => this.#stream(turn, view, before, controller.signal));
    if (this.#running?.turn === turn) this.#running = null;
    view.update();
    // Who has gone on to another chat does not want to hear the end of this one.
    if (this.#views.get(turn.id) === view) this.#announce(view.spoken);
    this.#changed();
  }

  /** Ends the answer that runs, if one does. */
  stop() {
    if (!this.#running) return;
    const { turn, controller } = this.#running;
    this.#running = null;
    turn.state = "stopped";
    turn.endedAt = Date.now();
    this.#history.keep(this.#chatId, turn);
    controller.abort();
    const view = this.#views.get(turn.id);
    view.draw(); // what is reported is about this answer: the component has to know it
    this.#signal("stop", view.rating);
  }

  setMode(isDetailed) {
    this.#isDetailed = isDetailed;
    for (const view of this.#views.values()) view.setMode(isDetailed);
  }

  linkTraces(tracePage) {
    this.#tracePage = tracePage;
    for (const view of this.#views.values()) view.linkTrace(tracePage);
  }

  async #stream(turn, view, before, signal) {
    const chatId = this.#chatId;
    let kept = Date.now();
    let response = null;
    try {
      response = await fetch("/responses", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          stream: true,
          input: [...asInput(before), { role: "user", content: turn.question }],
          custom_inputs: { session_id: chatId, client_request_id: turn.id },
        }),
        signal,
      });
      for await (const event of readAgentStream(response)) {
        if (signal.aborted) break;
        take(turn, event);
        view.update();
        if (Date.now() - kept < KEEP_EVERY_MS) continue;
        this.#history.keep(chatId, turn);
        kept = Date.now();
      }
      // Without its last event the stream was cut, by whatever stands between.
      if (turn.state === "running") turn.state = "interrupted";
    } catch (error) {
      if (turn.state === "running") this.#fail(turn, response, error);
    }
    // What was stopped has been kept, and its chat may have been deleted since.
    if (signal.aborted) return;
    turn.endedAt = Date.now();
    this.#history.keep(chatId, turn);
  }

  #fail(turn, response, error) {
    turn.state = response?.ok ? "interrupted" : "unreached";
    if (response && !response.ok) turn.problem = error.message;
  }

  #show(turn) {
    const view = new TurnView(turn, {
      again: () => this.#askAgain(view.turn),
      signal: (name, rating) => this.#signal(name, rating),
      announce: this.#announce,
    });
    view.setMode(this.#isDetailed);
    view.linkTrace(this.#tracePage);
    this.#views.set(turn.id, view);
    this.#element.append(view.element);
    return view;
  }

  #askAgain(turn) {
    if (this.#running) return;
    // What never reached the agent is not worth keeping, and there is nothing to rate.
    if (turn.state === "unreached") this.#drop(turn);
    this.ask(turn.question);
  }

  #drop(turn) {
    this.#views.get(turn.id).element.remove();
    this.#views.delete(turn.id);
    this.#history.forget(this.#chatId, turn.id);
  }

  /** Shows what the history has of this chat and the page has not, or not yet in full. */
  #bringBack() {
    const chatId = this.#chatId;
    for (const turn of this.#history.turns(chatId)) {
      if (turn.id === this.#running?.turn.id) continue;
      const view = this.#views.get(turn.id);
      if (view) view.update(turn);
      else if (this.#show(turn).turn.state === "running") this.#awaitEnd(chatId, turn.id);
    }
    this.#changed();
  }

  /**
   * An answer that was running when it was kept: it still is, in another tab, or nobody is there
   * any more to end it.
   */
  #awaitEnd(chatId, turnId) {
    whileHeld(turnId, async () => {
      const turn = this.#history.turns(chatId).find((kept) => kept.id === turnId);
      if (turn?.state !== "running") return;
      turn.state = "interrupted";
      this.#history.keep(chatId, turn);
      if (chatId === this.#chatId) this.#views.get(turnId)?.update(turn);
    });
  }

  #keepRunning() {
    if (this.#running) this.#history.keep(this.#chatId, this.#running.turn);
  }

  #signal(name, rating) {
    // It may fail as it likes: nobody asked for it.
    if (this.#signals.includes(name)) rating.signal(name).catch(() => {});
  }
}

/**
 * Runs `action` while this tab holds the turn: one tab at a time, until it ends or its tab is gone.
 * Where the page is served in the open (plain HTTP from another machine) there are no locks.
 */
function whileHeld(turnId, action) {
  return navigator.locks ? navigator.locks.request(`agent-app.turn.${turnId}`, action) : action();
}
