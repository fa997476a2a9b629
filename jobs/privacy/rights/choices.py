"""What people asked for themselves, laid over what their account says.

An opt-out holds until the person opts in again, whatever happens to the account meanwhile: a new phone number is no
consent. An opt-in holds where it is newer than the account's row. A choice is made with one address and holds for every
address of the same account. Of accounts that belong to one human, an opt-out of one holds for all.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.humans import human

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ADS: Final = "ads"
PERSONALISATION: Final = "personalisation"
FLAGS: Final = {ADS: C.ADS_OPT_OUT, PERSONALISATION: C.PERSONALISATION_OPT_OUT}


def apply_choices(subjects: "DataFrame", choices: "DataFrame") -> "DataFrame":
    """Subjects with the opt-outs that hold now.

    Args:
        subjects: one row per subject, in the columns of ``lake.subjects``.
        choices: one row per subject and purpose, in the columns of ``ledger.choices``.

    Returns:
        The same rows; ``ads_opt_out`` and ``personalisation_opt_out`` follow the person's latest choice,
        and are true for a whole circle of accounts where they are for one.
    """
    asked = choices.join(subjects.select(C.SUBJECT_ID, C.PERSON_ID), C.SUBJECT_ID, how="inner")
    newest_first = Window.partitionBy(C.PERSON_ID, C.PURPOSE).orderBy(F.desc(C.ASKED_AT), F.desc(C.IS_OPT_OUT))
    latest = asked.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1")
    chosen = subjects
    for purpose, flag in FLAGS.items():
        of_purpose = latest.where(F.col(C.PURPOSE) == purpose)
        answers = of_purpose.select(
            C.PERSON_ID, F.col(C.IS_OPT_OUT).alias("_answer"), F.col(C.ASKED_AT).alias("_asked")
        )
        is_opt_in = F.coalesce(~F.col("_answer") & (F.col("_asked") >= F.col(C.UPDATED_AT)), F.lit(False))
        is_opt_out = F.coalesce(F.col("_answer"), F.lit(False))
        holds = F.when(is_opt_out, F.lit(True)).when(is_opt_in, F.lit(False)).otherwise(F.col(flag))
        chosen = chosen.join(answers, C.PERSON_ID, how="left").withColumn(flag, holds).select(*subjects.columns)
    return chosen.transform(_spread_opt_outs)


def _spread_opt_outs(subjects: "DataFrame") -> "DataFrame":
    by_human = Window.partitionBy(human())
    spread = {flag: F.max(F.col(flag).cast("int")).over(by_human) == 1 for flag in FLAGS.values()}
    return subjects.withColumns(spread)
