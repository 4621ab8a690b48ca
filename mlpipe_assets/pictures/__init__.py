"""Small charts as self-contained SVG text: the same numbers give the same bytes, on light and on dark paper."""
