// Runs before the first paint, hence neither a module nor deferred.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // Storage is blocked: the system's choice stands.
    }
  };

  const apply = () => {
    document.documentElement.dataset.bsTheme = chosen() ?? (dark.matches ? "dark" : "light");
  };

  dark.addEventListener("change", apply);
  apply();
})();
