// Where the basket is kept: in this browser, which tells when another tab changed it.

import { changed } from "./basket.js";

const KEY = "basket";

let memory = {}; // What is left when storage is blocked.

export const load = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return memory;
  }
};

export const save = (basket) => {
  memory = basket;
  try {
    localStorage.setItem(KEY, JSON.stringify(basket));
  } catch {
    // Kept for this page only.
  }
};

addEventListener("storage", () => changed());
