export default function ({ parentElement }) {
  parentElement.textContent = "reading room";
}
