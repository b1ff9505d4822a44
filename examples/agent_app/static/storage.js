/** `localStorage`, or a stand-in that forgets where a browser forbids it. */

export const storage = open();

function open() {
  try {
    return window.localStorage;
  } catch {
    return new Forgetful();
  }
}

class Forgetful {
  #kept = new Map();

  get length() {
    return this.#kept.size;
  }

  key(position) {
    return [...this.#kept.keys()][position] ?? null;
  }

  getItem(key) {
    return this.#kept.get(key) ?? null;
  }

  setItem(key, value) {
    this.#kept.set(key, value);
  }

  removeItem(key) {
    this.#kept.delete(key);
  }
}
