// Streamlit calls this at every rerun; the viewer is made once and told what is new.

const viewers = new WeakMap();

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let viewer = viewers.get(parentElement);
  if (!viewer) {
    viewer = makeViewer();
    viewers.set(parentElement, viewer);
    parentElement.append(viewer.root);
  }
  viewer.update(data, (name, value, once) => (once ? setTriggerValue : setStateValue)(name, value));
}
