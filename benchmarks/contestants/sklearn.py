"""scikit-learn's MLPRegressor, from images to themselves: rectifiers, and a linear output."""

from __future__ import annotations

import time
import warnings

from sklearn.neural_network import MLPRegressor

from benchmarks.contestants import work
from benchmarks.contestants.work import Data, Round, Rounds


def ae(data: Data) -> Rounds:
    x, test = work.unit(data.train[: work.AE_EXAMPLES]), work.unit(data.test[: work.MEASURED])
    hidden = [size for _, size in work.mirrored(work.AE)[:-1]]

    def rounds() -> Round:
        model = MLPRegressor(
            hidden_layer_sizes=hidden,
            batch_size=work.AE_BATCH,
            max_iter=1,
            alpha=0.0,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one epoch is not enough to converge
            start = time.perf_counter()
            model.fit(x, x)
            seconds = time.perf_counter() - start
        return Round(seconds, work.mean_square(model.predict(test), test))

    return rounds
