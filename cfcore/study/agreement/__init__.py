"""Agreement coefficients, one family a file, all with gaps allowed and defined answers for degenerate tables.

Every function takes a (cases, readers) array, a DataFrame, or a `Table`, and returns an `Estimate`: with the
closed-form interval where one is published, or with the bootstrap over patients where a `Resample` is given.
"""

from cfcore.study.agreement.bland_altman import BlandAltman, bland_altman
from cfcore.study.agreement.brennan_prediger import brennan_prediger, pabak
from cfcore.study.agreement.cohen import cohen_kappa, cohen_pairs
from cfcore.study.agreement.conger import conger_kappa
from cfcore.study.agreement.fleiss import fleiss_kappa, scott_pi
from cfcore.study.agreement.gwet import gwet_ac
from cfcore.study.agreement.icc import FORMS, icc
from cfcore.study.agreement.kendall import kendall_w
from cfcore.study.agreement.krippendorff import krippendorff_alpha
from cfcore.study.agreement.raw import bias_index, percent_agreement, prevalence_index, specific_agreement
from cfcore.study.agreement.table import Table, as_table, table_from_contingency, table_from_counts

__all__ = [
    "FORMS",
    "BlandAltman",
    "Table",
    "as_table",
    "bias_index",
    "bland_altman",
    "brennan_prediger",
    "cohen_kappa",
    "cohen_pairs",
    "conger_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "icc",
    "kendall_w",
    "krippendorff_alpha",
    "pabak",
    "percent_agreement",
    "prevalence_index",
    "scott_pi",
    "specific_agreement",
    "table_from_contingency",
    "table_from_counts",
]
