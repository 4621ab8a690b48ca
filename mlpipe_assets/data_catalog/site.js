const input = document.querySelector("#words");
const said = document.querySelector("#found");
const rows = [...document.querySelectorAll("tr[data-words]")].map((row) => ({
  row,
  words: [...new Set(row.dataset.words.match(/[\p{L}\p{N}]+/gu) ?? [])],
}));

// Whether two words differ by one letter, or by two neighbours that changed places.
function isAlike(one, other) {
  if (Math.abs(one.length - other.length) > 1) return false;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  const a = one.slice(start), b = other.slice(start);
  if (a.slice(1) === b.slice(1) || a === b.slice(1) || a.slice(1) === b) return true;
  return a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
}

// A number is never a typing error of another.
const isForgiven = (word) => word.length > 3 && !/\p{N}/u.test(word);
const fits = (word, found) => found.startsWith(word) || (isForgiven(word) && isAlike(word, found));

function look() {
  const wanted = input.value.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  let shown = 0;
  for (const { row, words } of rows) {
    row.hidden = !wanted.every((word) => words.some((found) => fits(word, found)));
    shown += row.hidden ? 0 : 1;
  }
  said.textContent = wanted.length ? `${shown} of ${rows.length} tables` : "";
}

input.addEventListener("input", look);
input.form.addEventListener("submit", (event) => {
  event.preventDefault();
  document.querySelector("tr[data-words]:not([hidden]) a")?.click();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
  }
});
look();
