"""Shown where a session has ended while its page was open; a fresh request gets the form at /auth/sign-in."""

import streamlit as st

with st.container(horizontal_alignment="center"):
    st.title("You are signed out", anchor=False)
    st.write("Your session has ended. Sign in again to go on; what you saved is kept.")
    st.link_button("Sign in", "/auth/sign-in", type="primary")
