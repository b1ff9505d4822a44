/** The chats of one person, kept in this browser; their ratings are kept by the server. */

import { storage } from "/static/storage.js";

const PREFIX = "agent-app.chat.";
const MOST_CHATS = 50;

export class History {
  #prefix;

  /** @param {string} person an opaque key: who signs in next does not see this one's chats */
  constructor(person) {
    this.#prefix = `${PREFIX}${person}.`;
  }

  keyOf(chatId) {
    return this.#prefix + chatId;
  }

  /** All chats, the one used last first. */
  chats() {
    return Array.from({ length: storage.length }, (_, position) => storage.key(position))
      .filter((key) => key.startsWith(this.#prefix))
      .map((key) => this.#read(key))
      .filter((chat) => chat?.turns.length)
      .sort((one, other) => other.changedAt - one.changedAt);
  }

  /** The turns of a chat, oldest first; none for a chat that is not known. */
  turns(chatId) {
    return this.#read(this.keyOf(chatId))?.turns ?? [];
  }

  /**
   * Adds the turn to its chat, or what is new of it. Another tab may have added to the same chat in
   * the meantime, so what is there is read again.
   */
  keep(chatId, turn) {
    const turns = this.turns(chatId);
    const position = turns.findIndex((kept) => kept.id === turn.id);
    turns.splice(position < 0 ? turns.length : position, 1, turn);
    this.#write(chatId, turns);
  }

  forget(chatId, turnId) {
    this.#write(chatId, this.turns(chatId).filter((turn) => turn.id !== turnId));
  }

  remove(chatId) {
    storage.removeItem(this.keyOf(chatId));
  }

  #read(key) {
    try {
      const chat = JSON.parse(storage.getItem(key));
      return Array.isArray(chat?.turns) ? chat : null;
    } catch {
      return null; // not ours, or cut short
    }
  }

  #write(chatId, turns) {
    const chat = { id: chatId, title: turns[0]?.question, changedAt: Date.now(), turns };
    try {
      storage.setItem(this.keyOf(chatId), JSON.stringify(chat));
      for (const old of this.chats().slice(MOST_CHATS)) this.remove(old.id);
    } catch {
      // Full, or forbidden: the chat goes on, and is not kept.
    }
  }
}
