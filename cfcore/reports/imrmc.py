"""Readings as input of iMRMC (Gallas et al. 2009, Acad Radiol 16:84), one file for each finding.

The question is whether a finding tells counterfactuals from originals: every pair is two cases, its original with truth
0 and its counterfactual with truth 1, the arm is the modality, and the score is 1 where the reader saw the finding. The
area under the curve of an arm is then 1/2 + (prevalence in counterfactuals - prevalence in originals) / 2. iMRMC takes
originals and counterfactuals for independent cases, though they are of the same patients: its variance is on the safe
side where both are read alike.
"""

import pandas as pd

from cfcore.study.shaping import readings_only


def imrmc_file(decoded: pd.DataFrame, finding: str, title: str) -> str:
    """The text of an .imrmc file; only what could be assessed has a row, so it need not be fully crossed.

    decoded: from `decode_readings`. title: a line of description.
    """
    first = readings_only(decoded)
    own = first[(first["finding"] == finding) & (first["status"] == "assessed")]
    pairs = list(dict.fromkeys(own["pair"]))
    lines = [
        " ".join(title.split()),
        "Score 1: the reader saw the finding. Truth 1: the image is a counterfactual. Modality: arm.",
        f"N0:{len(pairs)}",
        f"N1:{len(pairs)}",
        f"NR:{own['reader'].nunique()}",
        f"NM:{own['arm'].nunique()}",
        "",
        "BEGIN DATA:",
    ]
    for pair in pairs:
        lines += [f"-1,{pair}-original,0,0", f"-1,{pair}-counterfactual,0,1"]
    columns = ("reader", "arm", "pair", "in_original", "in_counterfactual")
    for reader, arm, pair, original, counterfactual in zip(*(own[name] for name in columns), strict=True):
        reader, arm = (str(name).replace(",", ";").replace(" ", "_") for name in (reader, arm))
        lines.append(f"{reader},{pair}-original,{arm},{int(original)}")
        lines.append(f"{reader},{pair}-counterfactual,{arm},{int(counterfactual)}")
    return "\n".join(lines) + "\n"
