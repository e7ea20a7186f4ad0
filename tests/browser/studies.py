"""Small studies written straight into a workspace, for tests that are about reading and not about designing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cfcore.images.encode import encode_png
from cfcore.study.protocol import Arm, Finding, Protocol, Rating, canonical_json
from db.models import Dataset, Image, Pair, Study
from services.accounts import ensure_account
from services.invitations import invite_reader
from services.workspace import Workspace, sha256

PASSWORD = "a long enough password"
FINDINGS = (
    Finding("line", "Line or tube"),
    Finding("shadow", "Round shadow", "secondary"),
    Finding("rib", "Rib out of place", "secondary"),
)
RATINGS = (
    Rating("realism", "The difference looks like a real change", "not at all", "entirely"),
    Rating("identity", "A and B show the same patient", "surely not", "surely"),
)


def protocol(arms: Sequence[str], findings: Sequence[Finding] = FINDINGS) -> Protocol:
    """A protocol with the given arms and a neutral title."""
    return Protocol(
        title="Eigenvectors of the pneumonia classifier",
        reader_title="Chest radiographs, series 1",
        findings=tuple(findings),
        ratings=RATINGS,
        arms=tuple(Arm(arm, arm) for arm in arms),
        n_per_arm=2,
    )


def noise_picture(seed: int, size: tuple[int, int] = (96, 80), white: int = 255) -> NDArray[np.integer]:
    """(h, w) gray values that no other seed gives: a soft blob in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    blob = np.exp(-((x - rng.uniform(20, 60)) ** 2 + (y - rng.uniform(20, 60)) ** 2) / 300)
    values = (0.3 + 0.5 * blob + rng.uniform(0, 0.2, size)).clip(0, 1) * white
    return values.astype(np.uint8 if white <= 255 else np.uint16)


def make_study(
    workspace: Workspace,
    pictures: Sequence[tuple[NDArray[np.integer], NDArray[np.integer]]],
    arms: Sequence[str] = ("v17 +", "v3 -"),
    white: int = 255,
    findings: Sequence[Finding] = FINDINGS,
    seed: int = 0,
) -> int:
    """A locked study with one pair for each (original, counterfactual), dealt to the arms in turn. Returns its id."""
    plan = json.loads(canonical_json(protocol(arms, findings)))
    with workspace.session() as session:
        dataset = Dataset(name=f"test {seed} {len(pictures)}", kind="phantom")
        session.add(dataset)
        session.flush()
        study = Study(
            title=plan["title"],
            reader_title=plan["reader_title"],
            state="locked",
            protocol=plan,
            dataset_id=dataset.id,
            seed=seed,
        )
        session.add(study)
        session.flush()
        for number, (original, counterfactual) in enumerate(pictures):
            files = [encode_png(original), encode_png(counterfactual)]
            keys = [workspace.put(data, ".png") for data in files]
            height, width = original.shape
            image = Image(
                dataset_id=dataset.id,
                file_key=keys[0],
                patient=f"pseudonym{number:04d}",
                split="test",
                labels=["Pneumonia"],
                width=width,
                height=height,
                max_value=white,
                sha256=sha256(files[0]),
            )
            session.add(image)
            session.flush()
            session.add(
                Pair(
                    study_id=study.id,
                    arm=arms[number % len(arms)],
                    image_id=image.id,
                    patient=image.patient,
                    original_key=keys[0],
                    counterfactual_key=keys[1],
                    sha256=sha256(b"".join(files)),
                    width=width,
                    height=height,
                    max_value=white,
                    p_source=0.1,
                    p_reconstruction=0.1,
                    p_counterfactual=0.9,
                    flipped=True,
                    meta={"engine": "eigenfind"},
                )
            )
        return study.id


def noise_pairs(n: int, white: int = 255) -> list[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """`n` pairs of pictures, all different."""
    return [(noise_picture(2 * i, white=white), noise_picture(2 * i + 1, white=white)) for i in range(n)]


def add_reader(workspace: Workspace, study_id: int, login: str = "reader.one", name: str = "Dr. One") -> int:
    """An account with PASSWORD, invited to the study. Returns the account's id."""
    account = ensure_account(workspace, login, name, "reader", PASSWORD)
    invite_reader(workspace, study_id, login, name, "test")
    return account


def as_json(plan: Protocol) -> dict[str, object]:
    """The protocol as plain JSON values."""
    return dict(dataclasses.asdict(plan))
