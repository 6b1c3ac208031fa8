// Buttons around a number field; without this script the field works as it is.

const button = (label, sign, onClick) => {
  const made = Object.assign(document.createElement("button"), { type: "button" });
  made.textContent = sign;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
};

for (const stepper of document.querySelectorAll("[data-stepper]")) {
  const input = stepper.querySelector("input");
  stepper.prepend(button("One less", "−", () => input.stepDown()));
  stepper.append(button("One more", "+", () => input.stepUp()));
}
