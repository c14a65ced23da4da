"""Windows of long series: where they lie, what is left out, and how they fold back to steps."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.data import windows

RNG = np.random.default_rng(0)


def test_windows_start_at_every_stride_and_the_last_ends_with_the_series() -> None:
    cut = windows(np.arange(11.0), length=4, stride=3)
    assert cut.starts.tolist() == [0, 3, 6, 7]
    assert cut.x.tolist() == [[[s, s + 1.0, s + 2.0, s + 3.0]] for s in (0, 3, 6, 7)]
    assert windows(np.arange(10.0), 4, 3).starts.tolist() == [0, 3, 6]
    assert windows(np.arange(4.0), 4, 3).starts.tolist() == [0]
    assert (cut.length, cut.channels, cut.stride, cut.kind) == (4, 1, 3, "signal")
    assert repr(cut) == "Windows(4 of 4 steps, stride=3, 'signal')"


def test_both_kinds_of_windows_hold_the_same() -> None:
    series = RNG.standard_normal((20, 3)).astype(np.float32)
    signals, sequences = (windows(series, 6, 5, kind=kind) for kind in ("signal", "sequence"))
    assert signals.x.shape == (4, 3, 6) and sequences.x.shape == (4, 6, 3)
    assert signals.x.dtype == np.float32
    np.testing.assert_array_equal(signals.x[2], series[10:16].T)
    np.testing.assert_array_equal(sequences.x[2], series[10:16])


@pytest.mark.parametrize("kind", ["signal", "sequence"])
@pytest.mark.parametrize(("length", "stride"), [(6, 1), (6, 4), (6, 6), (20, 3)])
def test_windows_fold_back_to_the_series(kind: str, length: int, stride: int) -> None:
    series = RNG.standard_normal((20, 2))
    cut = windows(series, length, stride, kind=kind)
    np.testing.assert_allclose(cut.fold(cut.x), series, atol=1e-12)


def test_a_step_gets_the_mean_of_all_windows_that_cover_it() -> None:
    cut = windows(np.zeros(7), length=4, stride=2)  # at 0, 2 and 3
    np.testing.assert_allclose(cut.fold([6.0, 3.0, 0.0]), [6, 6, 4.5, 3, 1.5, 1.5, 0])
    steps = np.arange(12.0).reshape(3, 4)  # windows (0 1 2 3), (4 5 6 7), (8 9 10 11)
    expected = [0, 1, (2 + 4) / 2, (3 + 5 + 8) / 3, (6 + 9) / 2, (7 + 10) / 2, 11]
    np.testing.assert_allclose(cut.fold(steps), expected)
    np.testing.assert_allclose(cut.fold(steps[:, None]), expected)
    some = cut.take(np.array([2]))
    np.testing.assert_allclose(some.fold([5.0]), [np.nan] * 3 + [5.0] * 4)


def test_steps_between_windows_that_lie_apart_are_not_known() -> None:
    folded = windows(np.zeros(8), length=2, stride=3).fold([1.0, 2.0, 3.0])
    np.testing.assert_allclose(folded, [1, 1, np.nan, 2, 2, np.nan, 3, 3])


def test_what_comes_back_has_the_index_that_was_cut() -> None:
    days = pd.date_range("2026-01-01", periods=6, name="day")
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) ** 2}, index=days)
    cut = windows(frame, 4)
    pd.testing.assert_frame_equal(cut.fold(cut.x), frame, check_freq=False)
    pd.testing.assert_index_equal(cut.fold(np.arange(3.0)).index, days)
    column = windows(frame["b"], 4)
    pd.testing.assert_series_equal(column.fold(column.x), frame["b"], check_freq=False)


def test_a_list_of_series_comes_back_as_a_list() -> None:
    series = [np.arange(5.0), np.arange(10.0, 17.0), np.arange(4.0)]
    cut = windows(series, 4, 3)
    assert cut.places.tolist() == [0, 0, 1, 1, 2]
    assert cut.starts.tolist() == [0, 1, 0, 3, 0]
    for one, folded in zip(series, cut.fold(cut.x), strict=True):
        np.testing.assert_array_equal(folded, one)


def test_windows_without_some_value_are_left_out_and_said() -> None:
    series = np.arange(10.0)
    series[5] = np.nan
    with pytest.warns(ist.DataWarning, match="2 of 4 windows hold NaN and are left out: fill it"):
        cut = windows(series, 4, 2)
    assert cut.starts.tolist() == [0, 6]
    np.testing.assert_array_equal(cut.fold(cut.x), [0, 1, 2, 3, np.nan, np.nan, 6, 7, 8, 9])
    frame = pd.DataFrame({"a": pd.array([1, 2, None, 4, 5], dtype="Int64")})
    with pytest.warns(ist.DataWarning, match="2 of 4 windows"):
        assert windows(frame, 2).x.tolist() == [[[1, 2]], [[4, 5]]]
    with pytest.raises(ist.InputError, match="every one of the 3 windows holds NaN: fill it in"):
        windows(np.full(6, np.nan), 4)


@pytest.mark.parametrize(
    ("series", "length", "message"),
    [
        (np.arange(3.0), 4, r"series has 3 steps, fewer than a window of length=4.*shorter"),
        ([np.arange(9.0), np.arange(3.0)], 4, r"series 1 \(counted from 0\) has 3 steps"),
        ([np.zeros((9, 2)), np.zeros(9)], 4, r"has 1 channels, but the first one has 2: give"),
        (np.array([0.0, np.inf, 1.0]), 2, r"series holds inf at step 1 \(counted from 0\): fill"),
        (np.zeros((2, 3, 4)), 2, r"float64 of shape \(2, 3, 4\): give numbers \(time,\)"),
        (np.array(["a", "b"]), 2, r"series is <U1 of shape \(2,\)"),
        (np.arange(9.0), 0, "length=0 is not usable: give a whole number from 1 up"),
        (np.arange(9.0), 2.5, "length=2.5 is not usable"),
    ],
)
def test_what_cannot_be_cut_is_refused(series: object, length: int, message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        windows(series, length)


def test_frames_with_text_and_values_of_other_shapes_are_refused() -> None:
    frame = pd.DataFrame({"day": ["mon", "tue"], "x": [1.0, 2.0]})
    with pytest.raises(ist.InputError, match=r"series: column 'day' holds 'mon' .* no number"):
        windows(frame, 2)
    with pytest.raises(ist.InputError, match="series: column 'day' holds 'mon'"):
        windows(frame["day"], 2)
    with pytest.raises(ist.InputError, match="stride=0 is not usable"):
        windows(np.arange(9.0), 2, 0)
    with pytest.raises(ist.InputError, match="kind='image' is not usable: give 'signal' or"):
        windows(np.arange(9.0), 2, kind="image")
    with pytest.raises(ist.InputError, match=r"shape \(3,\), but there are 8 windows: give \(8,\)"):
        windows(np.arange(9.0), 2).fold([1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", ["signal", "sequence"])
def test_members_know_what_windows_are(kind: str, tmp_path: Path) -> None:
    cut = windows(RNG.standard_normal((40, 2)), 8, 4, kind=kind)
    model = ist.AE(network="mlp", epochs=1, random_state=0).fit(cut)
    assert model.preprocessor_.spec.kind == kind
    again = ist.load(model.save(tmp_path / "run"))
    assert again.preprocessor_.stride == 4
    assert cut.fold(again.reconstruct(cut)).shape == (40, 2)


def test_windows_of_another_kind_than_the_member_reads_are_refused() -> None:
    cut = windows(RNG.standard_normal(40), 8, 4)
    with pytest.raises(
        ist.InputError,
        match=r"cut for kind='signal', but RecurrentAE reads kind='sequence': cut them by",
    ):
        ist.RecurrentAE().fit(cut)
    sequences = windows(RNG.standard_normal(40), 8, 4, kind="sequence")
    assert ist.RecurrentAE(epochs=1).fit(sequences).transform(sequences).shape == (9, 16)


def test_a_frame_of_one_series_is_no_table_of_sequences() -> None:
    frame = pd.DataFrame({"heat": RNG.standard_normal(50), "wind": RNG.standard_normal(50)})
    with pytest.warns(
        ist.DataWarning,
        match=r"50 rows and 2 columns, read as 50 sequences of 2 steps: if each row is a step",
    ):
        ist.RecurrentAE(epochs=1).fit(frame)
    frame.index = pd.date_range("2026-01-01", periods=50)
    with pytest.raises(ist.InputError, match=r"its index holds times, so each row is one step"):
        ist.AE(kind="signal").fit(frame)
    with pytest.raises(ist.InputError, match=r"3 columns.*its column 'day' holds times.*--window"):
        ist.RecurrentAE().fit(frame.reset_index(names="day"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ist.DataWarning)
        rows = pd.DataFrame(RNG.standard_normal((20, 6)), columns=[f"t{i}" for i in range(6)])
        assert ist.RecurrentAE(epochs=1).fit(rows).reconstruct(rows).shape == (20, 6)


def test_a_file_is_read_as_a_series(tmp_path: Path) -> None:
    hours = pd.date_range("2026-01-01", periods=30, freq="h")
    frame = pd.DataFrame({"a": RNG.standard_normal(30), "b": 1.5, "odd": 0}, index=hours)
    frame.to_csv(tmp_path / "nameless.csv")
    read = ist.data.read_series(tmp_path / "nameless.csv", label="odd")
    assert list(read.columns) == ["a", "b"] and read.index.equals(hours.astype(read.index.dtype))
    frame.rename_axis("time").to_csv(tmp_path / "named.csv")
    assert ist.data.read_series(tmp_path / "named.csv").index.name == "time"
    frame.to_parquet(tmp_path / "kept.parquet")
    assert ist.data.read_series(tmp_path / "kept.parquet").shape == (30, 3)
    years = pd.DataFrame({"year": range(1900, 1930), "a": frame["a"].to_numpy()})
    years.to_csv(tmp_path / "years.csv", index=False)
    assert ist.data.read_series(tmp_path / "years.csv").index.tolist() == [*range(1900, 1930)]
    weeks = pd.DataFrame({"week": ["first", "second", "third"], "a": [1.0, 2.0, 3.0]})
    weeks.to_csv(tmp_path / "weeks.csv", index=False)
    assert ist.data.read_series(tmp_path / "weeks.csv").index.tolist() == [*weeks["week"]]
    np.save(tmp_path / "plain.npy", np.arange(9.0))
    assert ist.data.read_series(tmp_path / "plain.npy").shape == (9,)
    years.iloc[::-1].set_index("year").to_parquet(tmp_path / "turned.parquet")
    with pytest.raises(ist.InputError, match="not in the order of time: sort them"):
        ist.data.read_series(tmp_path / "turned.parquet")
    with pytest.raises(ist.InputError, match="unknown label column 'od': did you mean 'odd'"):
        ist.data.read_series(tmp_path / "named.csv", label="od")


def test_the_end_of_a_series_is_its_test_part(tmp_path: Path) -> None:
    np.save(tmp_path / "series.npy", np.arange(100.0))
    path = tmp_path / "series.npy"
    data = ist.data.load(path, window=10, stride=5)
    assert data.train.x.max() == 79 and data.test.x.min() == 80 and data.test.x.max() == 99
    assert data.source == {
        "source": str(path),
        "window": 10,
        "stride": 5,
        "kind": "signal",
        "test_fraction": 0.2,
    }
    assert ist.data.load(**data.source).train.x.shape == data.train.x.shape == (15, 1, 10)
    assert len(ist.data.load(path, window=40).test) == 1  # at least one window
    assert len(ist.data.load(path, window=60, test_fraction=0).test) == 0
    with pytest.raises(ist.InputError, match="100 steps, too few for a training and a test part"):
        ist.data.load(path, window=60)


def test_windows_of_other_columns_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(80, 2)), columns=["load", "wind"])
    model = ist.AE(epochs=1, random_state=0).fit(ist.data.windows(frame, 8, 4))
    turned = ist.data.windows(frame[["wind", "load"]], 8, 4)
    for judge in (model, ist.load(model.save(tmp_path / "run"))):
        for use in (judge.transform, judge.reconstruct, judge.score_samples, judge.partial_fit):
            with pytest.raises(ist.InputError, match="'wind', 'load', but the model was trained"):
                use(turned)
        judge.transform(ist.data.windows(frame.to_numpy(), 8, 4))  # without names, by their order
    with pytest.raises(ist.InputError, match=r"series 1 .* has the columns 'wind', 'load', but"):
        ist.data.windows([frame, frame[["wind", "load"]]], 8)
