"""Adding one's own classifier: the file, its description, and a plain word about programs."""

from __future__ import annotations

import streamlit as st

from pages.parts import layout
from pages.parts.who import actor, workspace
from services.accounts import current
from services.own_classifier import ClassifierRefused, add_classifier, example_spec, received

OUTCOME = "model-upload-outcome"
# The widgets forget their values when the number in their keys goes up.
ROUND = "model-upload-round"


def upload_panel() -> None:
    """File, name and YAML; the result of the last try stays until the next."""
    account = current(workspace(), st.context.cookies)
    may_run_code = account is not None and account.may_run_code
    turn = st.session_state.setdefault(ROUND, 0)
    # Above the form: its button is at the end of a long description.
    _show_outcome()
    left, right = st.columns([3, 2], gap="large")
    with left:
        file = st.file_uploader(
            "File: safetensors, TorchScript (.pt, .ts) or torch.export (.pt2)", key=f"model-file-{turn}"
        )
        name = st.text_input(
            "Name", placeholder="Pneumonia, our hospital's DenseNet", width=420, key=f"model-name-{turn}"
        )
        text = st.text_area("Description (YAML)", example_spec(), height=430, key="model-spec")
    with right:
        _about_programs(may_run_code)
        layout.html(
            "<p><b>Safetensors</b> of a known architecture run no code of the file and need no special right.</p>"
            "<p>The file is tried on four images (black, white, noise, an ellipse) before it is taken: outputs must "
            "be finite, the same twice, the same alone as in a batch, and as many as the description names.</p>"
            "<p>Pickles (<code>torch.save</code>) are refused: opening one can run anything. The file's name is not "
            "kept, since names of files may carry patients.</p>"
        )
    ready = file is not None and bool(name.strip())
    if st.button(
        "Check and add", type="primary", disabled=not ready, help=None if ready else "Choose a file and a name"
    ):
        assert file is not None
        with st.spinner("Trying the classifier on a few images"):
            try:
                with received(workspace(), file) as path:
                    add_classifier(workspace(), name, path, text, may_run_code, actor=actor())
                st.session_state[OUTCOME] = (True, f"“{name.strip()}” was added. Runs and studies can use it now.")
                st.session_state[ROUND] = turn + 1
            except ClassifierRefused as error:
                st.session_state[OUTCOME] = (False, str(error))
        st.rerun()


def _about_programs(may_run_code: bool) -> None:
    if may_run_code:
        st.warning(
            "**A TorchScript or torch.export file is a program: it runs on this server.** Add only files from people "
            "you trust. It is kept in a child process without secrets, database and network, with limits on time and "
            "memory, and is pinned by its SHA-256; this makes harm unlikely, not impossible.",
            icon=":material/warning:",
        )
    else:
        st.warning(
            "**Your account may not run code**, so TorchScript and torch.export files are refused: they are "
            "programs. Bring safetensors weights of a known architecture, or ask whoever runs this server for the "
            "right “may run code”.",
            icon=":material/lock:",
        )


def _show_outcome() -> None:
    outcome = st.session_state.get(OUTCOME)
    if outcome is None:
        return
    good, words = outcome
    if good:
        st.success(words)
        return
    st.error("The classifier was not added.")
    # As plain text: part of it may be words of the program.
    st.code(words, language=None, wrap_lines=True)
