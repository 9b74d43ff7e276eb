/**
 * Dark or light: as the system is, until the reader says otherwise. Loaded before anything is painted.
 */
const KEY = "storecast.theme";
const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

choose(kept());
document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("#theme");
  button?.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    choose(theme);
    keep(theme);
    show(button);
  });
  systemIsDark.addEventListener("change", () => show(button));
  show(button);
});

/** @param {string | null} theme */
function choose(theme) {
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
}

/** @param {Element | null} button */
function show(button) {
  button?.setAttribute("aria-pressed", String(isDark()));
}

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // the reader has forbidden it
  }
}

/** @param {string} theme */
function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Forbidden: it lasts until the page is left.
  }
}
