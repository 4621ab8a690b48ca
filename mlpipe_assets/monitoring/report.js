const columns = [...document.querySelectorAll("details.column")];
const tools = document.querySelector(".tools");
const said = document.querySelector("#said");
const only = document.querySelector("#only-moved");
tools.hidden = false;
document.querySelector("#open-all").addEventListener("click", () => {
  for (const column of columns) column.open = !column.hidden;
});
document.querySelector("#close-all").addEventListener("click", () => {
  for (const column of columns) column.open = false;
});
only.addEventListener("click", () => {
  const pressed = only.getAttribute("aria-pressed") !== "true";
  only.setAttribute("aria-pressed", pressed);
  for (const column of columns) column.hidden = pressed && column.dataset.verdict === "none";
  const shown = columns.filter((column) => !column.hidden).length;
  said.textContent = `${shown} of ${columns.length} columns shown`;
});
