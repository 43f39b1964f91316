// The menus on top of a page, of downloads and of places to open it, unfold. The theme would bring
// 80 kB of scripts for it.
document.querySelectorAll('[data-bs-toggle="dropdown"]').forEach((button) => {
  const around = button.parentElement, menu = around.querySelector(".dropdown-menu");
  const unfold = (open) => {
    menu.classList.toggle("show", open);
    button.setAttribute("aria-expanded", open);
  };
  const leave = ({ target }) => around.contains(target) || unfold(false);
  button.addEventListener("click", () => unfold(!menu.classList.contains("show")));
  around.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !menu.classList.contains("show")) return;
    unfold(false);
    button.focus();
  });
  document.addEventListener("click", leave);
  document.addEventListener("focusin", leave);
});
