import { greeting } from "./greeting.js";

document.querySelector("h1").textContent = greeting();
document.querySelector("button").addEventListener("click", async () => {
  const { show } = await import("./tide.js"); // a file of its own, asked for when it is needed
  show(document.querySelector("output"));
});
