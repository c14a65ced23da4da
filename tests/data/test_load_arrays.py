"""Arrays of numpy: what is read, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus.data import load, read
from isthmus.errors import InputError


@pytest.fixture
def saved(tmp_path: Path):
    """Save an array and give its path."""

    def save(x: np.ndarray, name: str = "x.npy") -> Path:
        np.save(tmp_path / name, x)
        return tmp_path / name

    return save


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64, np.bool_])
def test_an_array_is_kept_as_it_was_stored(saved, dtype):
    x = np.ones((5, 4, 4, 3), dtype)
    rows = read(saved(x))
    assert rows.x.dtype == dtype
    assert rows.y is rows.classes is rows.columns is rows.train_rows is None
    np.testing.assert_array_equal(rows.x, x)


def test_a_small_array_is_in_memory_and_writable(saved):
    x = read(saved(numbers(5, 2))).x
    assert type(x) is np.ndarray
    assert x.flags.writeable


def test_read_keeps_the_order_and_load_splits_all_rows(saved):
    path = saved(numbers(50, 2))
    np.testing.assert_array_equal(read(path).x, numbers(50, 2))
    data = load(path, test_fraction=0.3)
    assert (len(data.train), len(data.test), data.name) == (35, 15, "x.npy")
    together = np.concatenate([data.train.x, data.test.x])
    assert sorted(together[:, 0]) == sorted(numbers(50, 2)[:, 0])
    assert not np.array_equal(together, numbers(50, 2))


def test_a_large_array_stays_on_the_disk_and_is_cut_at_its_tail(tmp_path):
    n = 257 * 1024
    path = tmp_path / "large.npy"  # sparse
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 1024))
    file[-1] = 7
    file.flush()
    data = load(tmp_path / "large.npy", test_fraction=0.1)
    assert isinstance(data.train.x, np.memmap) and isinstance(data.test.x, np.memmap)
    assert len(data.train) + len(data.test) == n
    assert (data.test.x[-1] == 7).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.array([[{}]], dtype=object),
            "bad.npy holds Python objects, not numbers: save an array of a numeric type",
        ),
        (
            np.array([["a"], ["b"]]),
            "bad.npy holds values of type <U1: convert them to uint8 or float32",
        ),
        (np.ones((3, 2), np.complex64), "bad.npy holds values of type complex64"),
        (
            np.ones(3),
            (
                r"bad.npy has the shape \(3,\): the rows must lie along the first .* reshape single"
                r" values"
            ),
        ),
        (np.ones(()), r"bad.npy has the shape \(\)"),
        (
            np.ones((0, 3)),
            r"bad.npy has the shape \(0, 3\), which holds no values: at least 1 row is needed",
        ),
        (np.ones((3, 0)), r"bad.npy has the shape \(3, 0\), which holds no values"),
    ],
)
def test_an_array_without_numbers_is_refused(saved, x, message):
    with pytest.raises(InputError, match=message):
        read(saved(x, "bad.npy"))


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "inf")])
def test_a_value_that_is_not_finite_is_refused_with_its_place(saved, value, name):
    x = numbers(6, 2, 2)
    x[4, 1, 0] = value
    with pytest.raises(InputError, match=rf"x.npy holds {name} .*row 4, column 1, 0"):
        read(saved(x))


def test_one_row_is_read_but_cannot_be_split(saved):
    path = saved(numbers(1, 3))
    assert len(read(path)) == 1
    with pytest.raises(
        InputError, match=r"x.npy: 1 row to train and test on: at least 2 are needed"
    ):
        load(path)


@pytest.mark.parametrize("length", [0, 4, 40, 150, 300])
@pytest.mark.parametrize("name", ["cut.npy", "cut.npz"])
def test_a_truncated_file_is_named(tmp_path, name, length):
    path = tmp_path / name
    np.save(path, numbers(30, 2)) if name.endswith("npy") else np.savez(path, x=numbers(30, 2))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        InputError, match=rf"{name} (is damaged or incomplete|is not an .np[yz] file)"
    ):
        read(path)


def test_a_damaged_member_of_an_archive_is_named(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=numbers(3000, 2))
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x.npz is damaged or incomplete"):
        read(path)


def test_an_npy_file_that_is_called_npz_is_refused(saved):
    path = saved(numbers(3, 2))
    with pytest.raises(InputError, match=r"x.npz is not an .npz file: write it with numpy.savez"):
        read(path.rename(path.with_suffix(".npz")))


def test_no_pickle_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([[{}]], dtype=object))
    with pytest.raises(InputError, match=r"x.npz holds Python objects"):
        read(tmp_path / "x.npz")


class TestNpz:
    @pytest.fixture
    def archive(self, tmp_path):
        def save(**arrays: np.ndarray) -> Path:
            np.savez(tmp_path / "a.npz", **arrays)
            return tmp_path / "a.npz"

        return save

    def test_a_single_array_of_any_name(self, archive):
        np.testing.assert_array_equal(read(archive(pictures=numbers(4, 2))).x, numbers(4, 2))

    def test_labels_of_numbers_become_indices_of_classes(self, archive):
        rows = read(archive(x=numbers(4, 2), y=np.array([30, 7, 30, 7], np.uint8)))
        assert rows.classes == ("7", "30")
        assert rows.y.tolist() == [1, 0, 1, 0]

    def test_labels_of_text_become_indices_of_classes(self, archive):
        rows = read(archive(x=numbers(3, 2), y=np.array(["dog", "cat", "dog"])))
        assert (rows.classes, rows.y.tolist()) == (("cat", "dog"), [1, 0, 1])

    def test_a_split_of_its_own_is_kept(self, archive):
        labels = {"y_train": np.array([0, 1, 1]), "y_test": np.array([1, 2])}
        path = archive(x_train=numbers(3, 2), x_test=numbers(2, 2) + 100, **labels)
        data = load(path, test_fraction=0.9)
        np.testing.assert_array_equal(data.train.x, numbers(3, 2))
        np.testing.assert_array_equal(data.test.x, numbers(2, 2) + 100)
        assert (data.train.y.tolist(), data.test.y.tolist(), data.classes) == (
            [0, 1, 1],
            [1, 2],
            ("0", "1", "2"),
        )
        assert (len(read(path)), read(path).train_rows) == (5, 3)

    def test_a_split_without_labels(self, archive):
        data = load(archive(x_train=numbers(3, 2), x_test=numbers(2, 2)))
        assert (len(data.train), len(data.test), data.train.y, data.classes) == (3, 2, None, None)

    @pytest.mark.parametrize(
        "keys", [("x", "labels"), ("x_train", "y_train"), ("x_train", "x_test", "y_train"), ()]
    )
    def test_other_names_are_refused_with_the_names_found(self, archive, keys):
        found = ", ".join(sorted(keys)) or r"\(none\)"
        with pytest.raises(
            InputError, match=f"a.npz holds the arrays {found}: name them x and perhaps y"
        ):
            read(archive(**{key: numbers(3, 2) for key in keys}))

    def test_labels_of_another_length_are_refused(self, archive):
        with pytest.raises(
            InputError, match=r"y has the shape \(3,\), but x has 4 rows: y must .* of shape \(4,\)"
        ):
            read(archive(x=numbers(4, 2), y=np.arange(3)))

    def test_labels_that_are_not_whole_are_refused(self, archive):
        with pytest.raises(
            InputError, match=r"the label of row 2 is 0.5: labels must be whole numbers or text"
        ):
            read(archive(x=numbers(3, 2), y=np.array([0.0, 0.5, 1.0])))

    def test_labels_of_another_type_are_refused(self, archive):
        with pytest.raises(InputError, match=r"labels of type complex128 cannot be used"):
            read(archive(x=numbers(3, 2), y=np.ones(3, complex)))

    @pytest.mark.parametrize("test", [numbers(2, 3), numbers(2, 2).astype(np.uint8)])
    def test_parts_that_do_not_fit_together_are_refused(self, archive, test):
        with pytest.raises(
            InputError,
            match=r"x_train is float32 of shape \(3, 2\) and x_test is .* only their number",
        ):
            read(archive(x_train=numbers(3, 2), x_test=test))

    def test_the_array_at_fault_is_named(self, archive):
        with pytest.raises(InputError, match=r"a.npz \(x_test\) has the shape \(0, 2\)"):
            read(archive(x_train=numbers(3, 2), x_test=numbers(0, 2)))
