const root = document.documentElement;

const isDark = () => root.dataset.bsTheme === "dark";

const choose = (theme) => {
  root.dataset.bsTheme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Storage is blocked: the choice holds for this page.
  }
};

// The button is hidden in the markup: without this script it could do nothing.
export const themeButton = (button) => {
  const show = () => button.setAttribute("aria-pressed", isDark());
  button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  new MutationObserver(show).observe(root, { attributeFilter: ["data-bs-theme"] });
  button.hidden = false;
  show();
};
